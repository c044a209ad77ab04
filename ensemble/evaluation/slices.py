"""Parts of a range of forecasts: one symbol, one year, one regime, the confident ones."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ensemble.evaluation.history import History, volatility_tercile
from ensemble.evaluation.scored import Scored

REGIMES = ("calm", "middling", "wild")
"""Volatility terciles, lowest first."""


def only_symbol(scored: Scored, symbol: str) -> Scored:
    """The forecasts for one symbol. Raises ValueError when there is none of that name."""
    if symbol not in scored.symbols:
        raise ValueError(f'symbol was "{symbol}"; there are forecasts for {", ".join(scored.symbols)}.')
    return only_symbols(scored, (symbol,))


def only_symbols(scored: Scored, symbols: Sequence[str]) -> Scored:
    """The forecasts for those of `symbols` that have some."""
    known = tuple(symbol for symbol in symbols if symbol in scored.symbols)
    rows = [scored.symbols.index(symbol) for symbol in known]
    return replace(scored, symbols=known, probability=scored.probability[rows], outcome=scored.outcome[rows])


def by_symbol(scored: Scored) -> dict[str, Scored]:
    """Symbol -> its forecasts."""
    return {symbol: only_symbol(scored, symbol) for symbol in scored.symbols}


def by_year(scored: Scored) -> dict[str, Scored]:
    """Year -> its forecasts, oldest first; the sessions of other years stay, with nothing said."""
    year = scored.sessions.year.to_numpy()
    everyone = np.ones((len(scored.symbols), 1), dtype=np.bool_)
    return {str(one): scored.where(everyone & (year == one)) for one in np.unique(year)}


def by_regime(scored: Scored, history: History) -> dict[str, Scored]:
    """Regime -> the forecasts made in it: terciles of the symbol's own volatility, known before the session."""
    tercile = history.beside(scored, volatility_tercile(history))
    return {name: scored.where(tercile == place) for place, name in enumerate(REGIMES)}


def above_confidence(scored: Scored, threshold: float) -> Scored:
    """The forecasts with max(p, 1 - p) at or above `threshold` and a side: those that the signals' filter lets pass."""
    probability = scored.probability
    return scored.where((np.maximum(probability, 1 - probability) >= threshold) & (probability != 0.5))
