"""What a bars frame is, and the sieve that every bar passes before anything may use it.

A bars frame holds one row a session: index `session` (tz-naive midnights, strictly increasing), columns
`BAR_COLUMNS`, all float64, prices in the symbol's own currency, `close` split-adjusted and `adj_close` also
dividend-adjusted. *Complete* bars (what is traded, and its peers) have every price, in order, and a volume.
*Context* bars (indices, ETFs, exchange rates) have `close` and `adj_close`; the rest may be NaN.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import pandas as pd
from pydantic import Field

from ensemble.arrays import Floats, Integers, Mask
from ensemble.options import Options

BAR_COLUMNS = ("open", "high", "low", "close", "adj_close", "volume")


class BarsError(ValueError):
    """A frame that is no bars frame crossed a border: a defect of the program, not of the data."""


class Refusal(StrEnum):
    """Why a bar is not used."""

    NO_DATE = "no_date"
    DUPLICATE = "duplicate"
    NOT_FINITE = "not_finite"
    NOT_POSITIVE = "not_positive"
    RANGE = "range"
    NOT_A_SESSION = "not_a_session"
    NO_VOLUME = "no_volume"
    MOVE_LIMIT = "move_limit"


# What `reasons` arrays hold: the place of a Refusal in this list, _NONE where there is nothing to refuse.
_REFUSALS = tuple(Refusal)
_NONE = -1


class BarRules(Options):
    """What a bar must keep to: the table [bars] of the configuration."""

    max_move_pct: float = Field(
        default=50.0,
        ge=5.0,
        le=1000.0,
        description="a traded bar that leaves its neighbours by more and comes back is refused, "
        "per cent of the lower close",
    )
    max_context_move_pct: float = Field(
        default=200.0,
        ge=5.0,
        le=10000.0,
        description="the same for context bars, per cent of the lower close (the VIX rose by 116 one day)",
    )
    range_tolerance_bp: float = Field(
        default=1.0,
        ge=0.0,
        le=100.0,
        description="how far open and close may lie outside low to high: rounding by the feed, basis points",
    )


@dataclass(frozen=True, slots=True, eq=False)
class Sifted:
    """Every row of a raw frame, in one of two heaps; equal copies of one row count as one row."""

    kept: pd.DataFrame
    """A bars frame."""
    refused: pd.DataFrame
    """RangeIndex; columns session (NaT where the date was unreadable), reason, *BAR_COLUMNS as they came."""


def check_bars(frame: pd.DataFrame, *, complete: bool) -> pd.DataFrame:
    """The same frame. Raises BarsError at the first breach of what a (complete) bars frame is."""
    _check_shape(frame)
    fault = _first_fault(frame, complete=complete)
    if fault is not None:
        row, reason = fault
        values = ", ".join(f"{name} {frame[name].iloc[row]:g}" for name in BAR_COLUMNS)
        kind = "complete" if complete else "context"
        raise BarsError(
            f"bar of {frame.index[row]:%Y-%m-%d} was {values}: {reason}; "
            f"a {kind} bar may not be so, pass raw bars through sift_bars first."
        )
    return frame


def sift_bars(
    raw: pd.DataFrame,
    *,
    rules: BarRules,
    complete: bool,
    sessions: pd.DatetimeIndex | None,
) -> Sifted:
    """The bars of `raw` that can be trusted, and the others with their reason.

    `raw` has the columns BAR_COLUMNS and the dates in its index; everything else about it may be wrong.
    `sessions`: the days its exchange was open (None: unknown, any day will do).
    Context bars lose a missing or inconsistent open, high or low (NaN) instead of being refused.
    MOVE_LIMIT looks at the next bar too, so that a level shift (a crash, a split the feed did not adjust) is
    not taken for a bad tick; the newest bar has no next one and is refused until a later one confirms it.
    Raises BarsError when a column is missing.
    """
    rows = _as_floats(raw)
    reasons = np.full(len(rows), _NONE)
    copies = _judge_dates(rows, reasons, sessions)
    values = {name: rows[name].to_numpy().copy() for name in BAR_COLUMNS}
    tolerance = rules.range_tolerance_bp / 1e4
    if not complete:
        _mend_context(values, tolerance)
    _judge_values(values, reasons, tolerance=tolerance, complete=complete)
    _widen(values)
    good = (reasons == _NONE) & ~copies
    kept = pd.DataFrame(values, index=rows.index)[good].sort_index()
    limit_pct = rules.max_move_pct if complete else rules.max_context_move_pct
    stray = _stray_closes(kept["close"].to_numpy(), limit_pct / 100.0)
    _refuse(reasons, good & rows.index.isin(kept.index[stray]), Refusal.MOVE_LIMIT)
    return Sifted(kept=kept[~stray], refused=_refused(rows, reasons, copies))


def _as_floats(raw: pd.DataFrame) -> pd.DataFrame:
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


def _judge_dates(rows: pd.DataFrame, reasons: Integers, sessions: pd.DatetimeIndex | None) -> Mask:
    """Which rows are equal copies of an earlier one; date faults are written to `reasons`."""
    dates = pd.DatetimeIndex(rows.index)
    _refuse(reasons, np.asarray(dates.isna()), Refusal.NO_DATE)
    copies = np.zeros(len(rows), dtype=np.bool_)
    if not dates.is_unique:
        twins = dates.duplicated(keep=False) & (reasons == _NONE)
        copies[twins] = rows[twins].reset_index().duplicated().to_numpy()
        firsts = twins & ~copies
        differing = np.zeros(len(rows), dtype=np.bool_)
        differing[firsts] = dates[firsts].duplicated(keep=False)
        _refuse(reasons, differing, Refusal.DUPLICATE)
    if sessions is not None:
        _refuse(reasons, np.logical_not(dates.isin(sessions)), Refusal.NOT_A_SESSION)
    return copies


def _refuse(reasons: Integers, mask: Mask, reason: Refusal) -> None:
    """The first reason stays: later checks of a broken bar say nothing new."""
    reasons[mask & (reasons == _NONE)] = _REFUSALS.index(reason)


def _judge_values(values: dict[str, Floats], reasons: Integers, *, tolerance: float, complete: bool) -> None:
    prices = np.array([values[name] for name in BAR_COLUMNS[:5]])
    needed = prices if complete else prices[3:]
    volume = values["volume"]
    infinite = np.isinf(prices).any(axis=0) | np.isinf(volume)
    _refuse(reasons, ~np.isfinite(needed).all(axis=0) | infinite, Refusal.NOT_FINITE)
    _refuse(reasons, (prices <= 0.0).any(axis=0) | (volume < 0.0), Refusal.NOT_POSITIVE)
    outside = _outside(values["open"], values, tolerance) | _outside(values["close"], values, tolerance)
    _refuse(reasons, outside | (values["high"] < values["low"]), Refusal.RANGE)
    if complete:
        _refuse(reasons, ~(volume > 0.0), Refusal.NO_VOLUME)


def _mend_context(values: dict[str, Floats], tolerance: float) -> None:
    for name in ("open", "high", "low"):
        column = values[name]
        column[~np.isfinite(column) | (column <= 0.0)] = np.nan
    volume = values["volume"]
    volume[~np.isfinite(volume) | (volume < 0.0)] = np.nan
    # Where the close contradicts the range, the range goes: the close is what returns are made of.
    wrong_range = (values["high"] < values["low"]) | _outside(values["close"], values, tolerance)
    values["open"][_outside(values["open"], values, tolerance) & ~wrong_range] = np.nan
    values["high"][wrong_range] = np.nan
    values["low"][wrong_range] = np.nan


def _outside(price: Floats, values: dict[str, Floats], tolerance: float) -> Mask:
    """NaN bounds bound nothing."""
    return (price > values["high"] * (1.0 + tolerance)) | (price < values["low"] * (1.0 - tolerance))


def _widen(values: dict[str, Floats]) -> None:
    """Take the last rounding out of high and low, so that low <= open, close <= high holds exactly."""
    body = np.array([values["open"], values["close"]])
    values["high"] = np.where(np.isnan(values["high"]), np.nan, np.fmax(values["high"], np.fmax(*body)))
    values["low"] = np.where(np.isnan(values["low"]), np.nan, np.fmin(values["low"], np.fmin(*body)))


def _stray_closes(close: Floats, limit: float) -> Mask:
    """Closes that are far from their neighbours, looked for again among those that are left until there is none."""
    stray = np.zeros(len(close), dtype=np.bool_)
    while True:
        left = np.flatnonzero(~stray)
        found = _far_from_neighbours(close[left], limit)
        if not found.any():
            return stray
        stray[left[found]] = True


def _far_from_neighbours(close: Floats, limit: float) -> Mask:
    """Closes that are far from the one before and from the one after, while those two agree; a last one that is far."""
    stray = np.zeros(len(close), dtype=np.bool_)
    if len(close) < 2:
        return stray
    logs = np.log(close)
    far = np.abs(logs[1:] - logs[:-1]) > np.log1p(limit)
    back = np.abs(logs[2:] - logs[:-2]) <= np.log1p(limit)
    stray[1:-1] = far[:-1] & far[1:] & back
    stray[-1] = far[-1] and not stray[-2]
    return stray


def _refused(rows: pd.DataFrame, reasons: Integers, copies: Mask) -> pd.DataFrame:
    bad = (reasons != _NONE) & ~copies
    refused: pd.DataFrame = rows.loc[bad].reset_index()
    refused.insert(1, "reason", [str(_REFUSALS[code]) for code in reasons[bad]])
    return refused


def _check_shape(frame: pd.DataFrame) -> None:
    index = frame.index
    if not isinstance(index, pd.DatetimeIndex) or index.tz is not None or index.name != "session":
        raise BarsError(f"index was {index.dtype} named {index.name!r}; it must be naive dates named 'session'.")
    if tuple(frame.columns) != BAR_COLUMNS:
        raise BarsError(f"columns were {list(frame.columns)}; they must be {list(BAR_COLUMNS)}, in this order.")
    wrong = {name: str(dtype) for name, dtype in frame.dtypes.items() if dtype != np.float64}
    if wrong:
        raise BarsError(f"column types were {wrong}; every column must be float64, as sift_bars makes them.")
    if index.hasnans or not (index.is_monotonic_increasing and index.is_unique):
        raise BarsError("sessions were not strictly increasing; sort them and drop what is there twice.")
    if not (index == index.normalize()).all():
        raise BarsError("a session had a time of day; it must be the midnight that names its date.")


def _first_fault(frame: pd.DataFrame, *, complete: bool) -> tuple[int, Refusal] | None:
    values = {name: frame[name].to_numpy() for name in BAR_COLUMNS}
    reasons = np.full(len(frame), _NONE)
    _judge_values(values, reasons, tolerance=0.0, complete=complete)
    faults = np.flatnonzero(reasons != _NONE)
    return (int(faults[0]), _REFUSALS[reasons[faults[0]]]) if len(faults) else None
