"""Each row of a raw frame by itself: its date, its values, what of a context bar can be mended."""

from typing import Any

import numpy as np
import pandas as pd

from ensemble.arrays import Floats, Integers, Mask
from ensemble.bars import BAR_COLUMNS, BarsError, Fault, bar_faults, outside_range
from ensemble.validation.rules import Refusal, Series

REFUSALS = tuple(Refusal)
"""What arrays of reasons hold: the place of a Refusal in this list, NONE where there is nothing to refuse."""
NONE = -1
Columns = dict[str, Floats]


def as_floats(raw: pd.DataFrame) -> pd.DataFrame:
    """BAR_COLUMNS as numbers, NaN where there is none, by session. Raises BarsError when a column is missing."""
    missing = [name for name in BAR_COLUMNS if name not in raw.columns]
    if missing:
        raise BarsError(f"raw bars lack the columns {missing}; a feed must give {list(BAR_COLUMNS)}.")
    columns = {name: _floats(raw[name]) for name in BAR_COLUMNS}
    return pd.DataFrame(columns, index=_sessions(raw.index))


def _floats(column: "pd.Series[Any]") -> Floats:
    if column.dtype != np.float64:
        column = pd.to_numeric(column, errors="coerce")
    return column.to_numpy(dtype=np.float64, na_value=np.nan)


def _sessions(index: pd.Index) -> pd.DatetimeIndex:
    dates = index if isinstance(index, pd.DatetimeIndex) else pd.to_datetime(index, errors="coerce")
    # A zone says where the session was held; the session is the date on the wall there.
    midnights = pd.DatetimeIndex(dates).tz_localize(None).normalize().as_unit("us")
    return pd.DatetimeIndex(midnights.to_numpy(), name="session")


def refuse(reasons: Integers, mask: Mask, reason: Refusal) -> None:
    """The first reason stays: later checks of a broken bar say nothing new."""
    reasons[mask & (reasons == NONE)] = REFUSALS.index(reason)


def judge_dates(rows: pd.DataFrame, reasons: Integers, sessions: pd.DatetimeIndex | None) -> Mask:
    """Which rows are equal copies of an earlier one; date faults are written to `reasons`."""
    dates = pd.DatetimeIndex(rows.index)
    refuse(reasons, np.asarray(dates.isna()), Refusal.NO_DATE)
    copies = np.zeros(len(rows), dtype=np.bool_)
    if not dates.is_unique:
        twins = dates.duplicated(keep=False) & (reasons == NONE)
        copies[twins] = rows[twins].reset_index().duplicated().to_numpy()
        firsts = twins & ~copies
        differing = np.zeros(len(rows), dtype=np.bool_)
        differing[firsts] = dates[firsts].duplicated(keep=False)
        refuse(reasons, differing, Refusal.DUPLICATE)
    if sessions is not None:
        refuse(reasons, np.logical_not(dates.isin(sessions)), Refusal.NOT_A_SESSION)
    return copies


def judge_values(values: Columns, reasons: Integers, series: Series, *, below_zero: Mask, tolerance: float) -> None:
    """Writes to `reasons` what is wrong with each bar by itself; those of `below_zero` may lie there."""
    for fault, wrong in bar_faults(values, complete=series.complete, tolerance=tolerance).items():
        refuse(reasons, wrong & ~below_zero if fault is Fault.NOT_POSITIVE else wrong, Refusal(fault))


def traded_below_zero(values: Columns) -> Mask:
    """Bars at or below zero that are believed: the bar before or after was there as well, so it was no slip.

    Open, high, low and close of such a bar hang together; zeros alone are what feeds write for nothing.
    """
    prices = np.array([values[name] for name in BAR_COLUMNS[:4]])
    below = (prices < 0.0).any(axis=0) & np.isfinite(prices).all(axis=0) & (prices != 0.0).all(axis=0)
    beside = np.zeros(len(below), dtype=np.bool_)
    beside[1:] |= below[:-1]
    beside[:-1] |= below[1:]
    believed: Mask = below & beside
    return believed


def mend_context(values: Columns, tolerance: float, *, spared: Mask) -> None:
    """Empties the open, high, low and volume that cannot be, except of the `spared`: a context bar needs none."""
    for name in ("open", "high", "low"):
        column = values[name]
        column[~np.isfinite(column) | ((column <= 0.0) & ~spared)] = np.nan
    volume = values["volume"]
    volume[~np.isfinite(volume) | (volume < 0.0)] = np.nan
    # Where the close contradicts the range, the range goes: the close is what returns are made of.
    wrong_range = (values["high"] < values["low"]) | outside_range(values["close"], values, tolerance)
    values["open"][outside_range(values["open"], values, tolerance) & ~wrong_range] = np.nan
    values["high"][wrong_range] = np.nan
    values["low"][wrong_range] = np.nan


def widen(values: Columns) -> None:
    """Takes the last rounding out of high and low, so that low <= open, close <= high holds exactly."""
    body = np.array([values["open"], values["close"]])
    values["high"] = np.where(np.isnan(values["high"]), np.nan, np.fmax(values["high"], np.fmax(*body)))
    values["low"] = np.where(np.isnan(values["low"]), np.nan, np.fmin(values["low"], np.fmin(*body)))
