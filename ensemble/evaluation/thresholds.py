"""What each confidence threshold would have given: how often it speaks, how often it is right, what costs leave."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from ensemble.arrays import Floats
from ensemble.evaluation.estimate import Estimate
from ensemble.evaluation.replay import TradedSessions, replay
from ensemble.evaluation.scored import Scored
from ensemble.evaluation.share import mean_of_sessions, share
from ensemble.evaluation.slices import above_confidence
from ensemble.trading.account import Settlement, Trade
from ensemble.trading.rules import TradingRules
from ensemble.trading.signals import SignalOptions

THRESHOLDS = (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8)
DAYS_A_YEAR = 365.25
BP = 1e4


@dataclass(frozen=True, slots=True)
class ThresholdAdvice:
    """One threshold. Shares are of 1, intervals 95 %; signals are forecasts at least so sure of their side."""

    threshold: float
    signals: int
    coverage: float
    """Share of all forecasts that are so sure."""
    right: Estimate
    """Share of the signals whose side came true."""
    signals_a_year: float
    ups_a_year: float
    """Those that would buy, places and cash permitting."""
    ups_right: Estimate
    """Their precision."""
    trades: int
    """Positions that the account closed."""
    trade_return_bp: Estimate
    """Gain of a closed position after costs and slippage on both sides, basis points of what was paid."""
    return_pct: float
    """Gain of the whole account over the whole range, per cent of its initial capital."""


def advise(
    scored: Scored,
    traded: TradedSessions,
    *,
    options: SignalOptions,
    rules: TradingRules,
    thresholds: Sequence[float] = THRESHOLDS,
) -> tuple[ThresholdAdvice, ...]:
    """One line a threshold, for the symbols of `scored`, which `traded` must have.

    Of `options` neither label nor gate counts: each line is the gate "confidence" at its threshold.
    """
    said = _by_session(scored)
    years = max(((scored.sessions[-1] - scored.sessions[0]).days + 1) / DAYS_A_YEAR, 1 / DAYS_A_YEAR)
    advice = []
    for threshold in thresholds:
        at_threshold = options.model_copy(update={"gate": "confidence", "min_confidence": threshold})
        settled = replay(said, traded, options=at_threshold, rules=rules)
        advice.append(_advice(scored, settled, threshold=threshold, years=years, capital=rules.limits.initial_capital))
    return tuple(advice)


def _advice(
    scored: Scored, settled: Sequence[Settlement], *, threshold: float, years: float, capital: float
) -> ThresholdAdvice:
    sure = np.isfinite(above_confidence(scored, threshold).probability)
    up = scored.probability > 0.5
    right = np.where(scored.known, up == (scored.outcome > 0.5), np.nan)
    trades = [trade for one in settled for trade in one.trades]
    return ThresholdAdvice(
        threshold=threshold,
        signals=int(sure.sum()),
        coverage=float(sure.sum() / max(np.isfinite(scored.probability).sum(), 1)),
        right=share(np.where(sure, right, np.nan), lags=scored.lags),
        signals_a_year=float(sure.sum() / years),
        ups_a_year=float((sure & up).sum() / years),
        ups_right=share(np.where(sure & up, right, np.nan), lags=scored.lags),
        trades=len(trades),
        trade_return_bp=mean_of_sessions(_returns_bp(trades)),
        return_pct=100 * (settled[-1].account.equity / capital - 1) if settled else 0.0,
    )


def _returns_bp(trades: Sequence[Trade]) -> Floats:
    """Mean return of the trades entered in each session, which moved together; in order of the sessions."""
    by_entry: dict[date, list[float]] = {}
    for trade in sorted(trades, key=lambda trade: trade.entry_session):
        paid = trade.quantity * trade.entry_price
        by_entry.setdefault(trade.entry_session, []).append(BP * trade.profit / paid)
    return np.array([np.mean(returns) for returns in by_entry.values()], dtype=np.float64)


def _by_session(scored: Scored) -> Mapping[date, Mapping[str, float]]:
    said: dict[date, dict[str, float]] = {}
    for session, column in zip(scored.sessions.date, scored.probability.T, strict=True):
        known = np.flatnonzero(np.isfinite(column))
        said[session] = {scored.symbols[place]: float(column[place]) for place in known}
    return said
