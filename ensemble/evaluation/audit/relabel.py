"""The labels worked out a second time, bar by bar and in plain numbers, from what the documentation says of them."""

from collections.abc import Mapping
from math import isnan, nan

import numpy as np
import pandas as pd

from ensemble.arrays import Floats
from ensemble.trading.limits import RiskLimits

RELABELLED = ("gap", "close_to_close", "open_to_close", "barrier")
OPEN, HIGH, LOW, CLOSE = range(4)
Bars = Mapping[pd.Timestamp, tuple[float, float, float, float]]


def relabelled(bars: pd.DataFrame, sessions: pd.DatetimeIndex, rows: slice, limits: RiskLimits) -> Floats:
    """Labels of `rows` of the calendar's `sessions`, (n_rows, 4): 1, 0, or NaN where it is not known."""
    columns = (bars[name].tolist() for name in ("open", "high", "low", "close"))
    by_session: Bars = dict(zip(bars.index, zip(*columns, strict=True), strict=True))
    n_past = sum(session <= bars.index[-1] for session in sessions) if len(bars) else 0
    labels = [_labels(by_session, sessions, row, n_past, limits) for row in range(rows.start, rows.stop)]
    return np.array(labels, dtype=np.float64).reshape(-1, len(RELABELLED))


def _labels(bars: Bars, sessions: pd.DatetimeIndex, row: int, n_past: int, limits: RiskLimits) -> list[float]:
    today = bars.get(sessions[row])
    before = bars.get(sessions[row - 1]) if row else None
    if today is None:
        return [nan] * len(RELABELLED)
    known_later = row + limits.max_holding_sessions <= n_past
    return [
        float(today[OPEN] > before[CLOSE]) if before else nan,
        float(today[CLOSE] > before[CLOSE]) if before else nan,
        float(today[CLOSE] > today[OPEN]),
        _barrier(bars, sessions[row : row + limits.max_holding_sessions], limits) if known_later else nan,
    ]


def _barrier(bars: Bars, held: pd.DatetimeIndex, limits: RiskLimits) -> float:
    """1 where a position bought at the first open leaves above it: stop first, then target, else the last close.

    Where one price held all session nobody gets in or out: not known on the first, passed over later, not known at the
    last.
    """
    entry = bars[held[0]][OPEN]
    stop, target = entry * (100 - limits.stop_loss_pct) / 100, entry * (100 + limits.take_profit_pct) / 100
    for session in held:
        bar = bars.get(session)
        if bar is None or isnan(bar[CLOSE]):
            return nan
        if _one_price(bar):
            if session == held[0]:
                return nan
            continue
        if bar[OPEN] <= stop or (bar[LOW] <= stop and bar[OPEN] < target):
            return 0.0
        if bar[HIGH] >= target:
            return 1.0
    last = bars[held[-1]]
    return nan if _one_price(last) else float(last[CLOSE] > entry)


def _one_price(bar: tuple[float, float, float, float]) -> bool:
    return bar[HIGH] == bar[LOW]
