"""Where the move came from that a forecast was right about: before the open, which nobody could trade, or after it.

A forecast is made before the open, but so are all orders: whoever acts on it buys at the open. What the price did from
the last close to the open is knowledge, not profit.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ensemble.arrays import Floats
from ensemble.evaluation.estimate import Estimate
from ensemble.evaluation.scored import Scored
from ensemble.evaluation.share import mean_by_session
from ensemble.evaluation.slices import above_confidence, only_symbols
from ensemble.features.prices import adjusted_prices, log_gap
from ensemble.trading.costs import BP


@dataclass(frozen=True, slots=True)
class Moves:
    """What the prices of a session did, dividends given back; log returns, so that the two add up."""

    sessions: pd.DatetimeIndex
    symbols: tuple[str, ...]
    gap: Floats
    """From the close of the session before to the open, (n_symbols, n_sessions); NaN where a bar is missing."""
    day: Floats
    """From the open to the close, (n_symbols, n_sessions)."""


@dataclass(frozen=True, slots=True)
class EdgeSplit:
    """One label's forecasts that are at least so sure: the move on the side that each forecast, basis points."""

    label: str
    symbols: tuple[str, ...]
    min_confidence: float
    forecasts: int
    """Those with both moves known."""
    before_open: Estimate
    """Mean from the last close to the open: what nobody could earn who acts on the forecast."""
    after_open: Estimate
    """Mean from the open to the close: what is there to be earned in the session, before costs."""


def session_moves(bars: Mapping[str, pd.DataFrame], sessions: pd.DatetimeIndex) -> Moves:
    """The moves of each symbol in `sessions`, the exchange's, none left out; from complete bars frames."""
    gaps, days = zip(*(_moves(frame.reindex(sessions)) for frame in bars.values()), strict=True)
    return Moves(sessions, tuple(bars), np.stack(gaps), np.stack(days))


def edge_split(scored: Scored, moves: Moves, *, min_confidence: float) -> EdgeSplit:
    """The split of one label's forecasts, sure or not sure; whether their outcome is known does not matter.

    95 % intervals of the means: Student's, sessions as units, because stocks of one session move together.
    """
    said = above_confidence(scored, min_confidence).probability
    side = np.where(np.isfinite(said), np.sign(said - 0.5), np.nan)
    gap, day = (side * _beside(scored, moves, values) / BP for values in (moves.gap, moves.day))
    known = np.isfinite(gap) & np.isfinite(day)
    gap, day = np.where(known, gap, np.nan), np.where(known, day, np.nan)
    return EdgeSplit(
        scored.label, scored.symbols, min_confidence, int(known.sum()), mean_by_session(gap), mean_by_session(day)
    )


def edge_splits(
    labels: Mapping[str, Scored], moves: Moves, *, min_confidence: float, traded: Sequence[str]
) -> tuple[EdgeSplit, ...]:
    """Label by label: of all stocks that were forecast, then of those `traded` where these are fewer; all forecasts,
    then those at least so confident.
    """
    found = []
    for scored in labels.values():
        own = only_symbols(scored, traded)
        for part in (scored, own) if len(own.symbols) < len(scored.symbols) else (scored,):
            found += [edge_split(part, moves, min_confidence=level) for level in (0.5, min_confidence)]
    return tuple(found)


def _moves(bars: pd.DataFrame) -> tuple[Floats, Floats]:
    """From one row a session, NaN where there is no bar."""
    prices = adjusted_prices(bars)
    return log_gap(prices.open, prices.close), np.asarray(np.log(prices.close / prices.open))


def _beside(scored: Scored, moves: Moves, values: Floats) -> Floats:
    """`values` of the moves laid beside the forecasts, (n_symbols, n_sessions), NaN where there is none."""
    symbol = pd.Index(moves.symbols).get_indexer(pd.Index(scored.symbols))
    session = moves.sessions.get_indexer(scored.sessions)
    both = (symbol[:, None] >= 0) & (session[None, :] >= 0)
    return np.where(both, values[symbol[:, None], session[None, :]], np.nan)
