"""What is forecast: four questions about a session that are answered 1 or 0 once their horizon is past."""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import pandas as pd

from ensemble.arrays import Floats
from ensemble.fills import fill_exits, is_locked, stop_price, target_price
from ensemble.trading.limits import RiskLimits

Label = Literal["gap", "close_to_close", "open_to_close", "barrier"]
LABELS: tuple[str, ...] = get_args(Label)


@dataclass(frozen=True, slots=True)
class _SessionPrices:
    """One price a session in each array, NaN where the bar is missing."""

    open: Floats
    high: Floats
    low: Floats
    close: Floats

    def ahead(self, sessions: int) -> "_SessionPrices":
        """The prices of `sessions` later, NaN past the end."""
        return _SessionPrices(*(_shifted(prices, -sessions) for prices in (self.open, self.high, self.low, self.close)))


def label_bars(bars: pd.DataFrame, *, sessions: pd.DatetimeIndex, limits: RiskLimits) -> pd.DataFrame:
    """1.0, 0.0 or NaN (not known), index `sessions`, columns LABELS, from one symbol's complete bars.

    gap: open(S) > close(S-1); close_to_close: close(S) > close(S-1); open_to_close: close(S) > open(S), where
    S-1 is the session before S in `sessions`. barrier: a position entered at open(S) under `limits` leaves
    above its entry, costs aside; not known where S or its last session is locked, and nobody gets in or out.
    Raises ValueError when `sessions` is not strictly increasing.
    """
    if not (sessions.is_monotonic_increasing and sessions.is_unique):
        raise ValueError("sessions were out of order or repeated; they must be strictly increasing")
    known = bars.reindex(sessions)
    prices = _SessionPrices(*(known[name].to_numpy(np.float64) for name in ("open", "high", "low", "close")))
    previous_close = _shifted(prices.close, 1)
    n_past = int(sessions.searchsorted(bars.index[-1], side="right")) if len(bars) else 0
    columns = {
        "gap": _above(prices.open, previous_close),
        "close_to_close": _above(prices.close, previous_close),
        "open_to_close": _above(prices.close, prices.open),
        "barrier": _barrier(prices, n_past=n_past, limits=limits),
    }
    return pd.DataFrame(columns, index=sessions)


def label_horizon(label: str, limits: RiskLimits) -> int:
    """Sessions from S to the one whose close makes the label of S known; 0 is S itself. Raises ValueError."""
    if label not in LABELS:
        raise ValueError(f'label was "{label}"; it must be one of {", ".join(LABELS)}')
    return limits.max_holding_sessions - 1 if label == "barrier" else 0


def _barrier(prices: _SessionPrices, *, n_past: int, limits: RiskLimits) -> Floats:
    """1.0 where the exit lies above the entry: always at the target, never at the stop, else maybe."""
    entry = prices.open
    stop = stop_price(entry, limits.stop_loss_pct)
    target = target_price(entry, limits.take_profit_pct)
    horizon = label_horizon("barrier", limits)
    label = np.full(entry.shape, np.nan)
    held = np.isfinite(entry) & ~is_locked(prices)
    for step in range(horizon + 1):
        bar = prices.ahead(step)
        exit_price = fill_exits(bar, stop=stop, target=target, last=step == horizon).price
        left = held & np.isfinite(exit_price)
        label[left] = exit_price[left] > entry[left]
        held &= ~left & np.isfinite(bar.close)
    # Near the end only quick exits are known; using them would over-represent stops and targets.
    label[max(n_past - horizon, 0) :] = np.nan
    return label


def _above(value: Floats, level: Floats) -> Floats:
    return np.where(np.isnan(value) | np.isnan(level), np.nan, value > level)


def _shifted(values: Floats, by: int) -> Floats:
    """values[t - by] at t, NaN where there is none."""
    return pd.Series(values).shift(by).to_numpy()
