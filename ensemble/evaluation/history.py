"""What was known of a label before each session: its earlier outcomes, and how much the price had moved lately."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ensemble.arrays import Floats
from ensemble.evaluation.scored import Scored
from ensemble.features.as_of import newest_known, take_known
from ensemble.features.prices import adjusted_prices
from ensemble.features.volatility import daily_volatility
from ensemble.labels import LABELS, label_bars, label_horizon
from ensemble.trading.limits import RiskLimits

VOLATILITY_BARS = 20
MIN_EARLIER_SESSIONS = 250
"""A tercile of less than a year of sessions says nothing."""


@dataclass(frozen=True, slots=True)
class History:
    """One label over all sessions that have bars, also those before the first forecast."""

    label: str
    sessions: pd.DatetimeIndex
    """(n_sessions,), every session of the exchange, increasing."""
    symbols: tuple[str, ...]
    outcome: Floats
    """1, 0 or NaN where it is not known, (n_symbols, n_sessions). Known `horizon` sessions later."""
    volatility: Floats
    """Standard deviation of the last 20 daily log returns before the session, (n_symbols, n_sessions), NaN unknown."""
    horizon: int
    """Sessions that the label reaches over, its own included."""

    def beside(self, scored: Scored, values: Floats) -> Floats:
        """`values` (n_symbols, n_sessions) of this history laid beside the forecasts, NaN where it has no such row."""
        symbol = pd.Index(self.symbols).get_indexer(pd.Index(scored.symbols))
        session = self.sessions.get_indexer(scored.sessions)
        both = (symbol[:, None] >= 0) & (session[None, :] >= 0)
        return np.where(both, values[symbol[:, None], session[None, :]], np.nan)


def label_histories(
    bars: Mapping[str, pd.DataFrame], *, sessions: pd.DatetimeIndex, limits: RiskLimits
) -> dict[str, History]:
    """Label -> its history, from complete bars frames by symbol and the exchange's sessions, oldest first."""
    symbols = tuple(bars)
    outcomes = [label_bars(one, sessions=sessions, limits=limits) for one in bars.values()]
    volatility = np.stack([_volatility_before(one, sessions) for one in bars.values()])
    return {
        label: History(
            label,
            sessions,
            symbols,
            np.stack([one[label].to_numpy(np.float64) for one in outcomes]),
            volatility,
            label_horizon(label, limits) + 1,
        )
        for label in LABELS
    }


def history_of(scored: Scored) -> History:
    """The range's own outcomes as a history, for want of bars: no earlier outcome, no volatility."""
    unknown = np.full(scored.outcome.shape, np.nan)
    return History(scored.label, scored.sessions, scored.symbols, scored.outcome, unknown, scored.horizon)


def volatility_tercile(history: History) -> Floats:
    """0, 1 or 2: the third of the symbol's own volatilities so far that each session's lies in; NaN unknown.

    Shape (n_symbols, n_sessions). Lower third first, bounds from the sessions up to this one, a year of them at least.
    """
    return np.stack([_tercile(pd.Series(row)) for row in history.volatility])


def _tercile(volatility: "pd.Series[float]") -> Floats:
    so_far = volatility.expanding(MIN_EARLIER_SESSIONS)
    low, high = (so_far.quantile(part).to_numpy(np.float64) for part in (1 / 3, 2 / 3))
    now = volatility.to_numpy(np.float64)
    place = (now > low).astype(np.float64) + (now > high)
    return np.where(np.isfinite(now) & np.isfinite(low), place, np.nan)


def _volatility_before(bars: pd.DataFrame, sessions: pd.DatetimeIndex) -> Floats:
    """By the bars of earlier sessions only, which have closed before the decision."""
    if len(bars) <= VOLATILITY_BARS:
        return np.full(len(sessions), np.nan)
    volatility = daily_volatility(adjusted_prices(bars), VOLATILITY_BARS)
    instants = pd.DatetimeIndex(sessions - pd.Timedelta(microseconds=1))
    return take_known(volatility, newest_known(pd.DatetimeIndex(bars.index), instants))
