"""What a bars frame is.

A bars frame holds one row a session: index `session` (tz-naive midnights, strictly increasing), columns
`BAR_COLUMNS`, all float64, prices in the symbol's own currency, `close` split-adjusted and `adj_close` also
dividend-adjusted. *Complete* bars (what is traded, and its peers) have every price, in order, and a volume.
*Context* bars (indices, ETFs, exchange rates) have `close` and `adj_close`; the rest may be NaN.

What a feed gives is made into one by `ensemble.validation`, which is no part of what models are made by; this is.
"""

from collections.abc import Mapping
from enum import StrEnum

import numpy as np
import pandas as pd

from ensemble.arrays import Floats, Mask

BAR_COLUMNS = ("open", "high", "low", "close", "adj_close", "volume")


class BarsError(ValueError):
    """A frame that is no bars frame crossed a border: a defect of the program, not of the data."""


class Fault(StrEnum):
    """What can be wrong about one bar by itself."""

    NOT_FINITE = "not_finite"
    NOT_POSITIVE = "not_positive"
    RANGE = "range"
    NO_VOLUME = "no_volume"


def check_bars(frame: pd.DataFrame, *, complete: bool, positive: bool = True) -> pd.DataFrame:
    """The same frame. Raises BarsError at the first breach of what a (complete) bars frame is.

    `positive`: no price may lie at or below zero, as that of a future once did.
    """
    _check_shape(frame)
    values = {name: frame[name].to_numpy() for name in BAR_COLUMNS}
    faults = bar_faults(values, complete=complete, positive=positive)
    breaches = [(int(rows[0]), fault) for fault, wrong in faults.items() if len(rows := np.flatnonzero(wrong))]
    if breaches:
        row, fault = min(breaches, key=lambda breach: breach[0])
        shown = ", ".join(f"{name} {frame[name].iloc[row]:g}" for name in BAR_COLUMNS)
        kind = "complete" if complete else "context"
        raise BarsError(
            f"bar of {frame.index[row]:%Y-%m-%d} was {shown}: {fault}; "
            f"a {kind} bar may not be so, pass raw bars through sift_bars first."
        )
    return frame


def above_zero(bars: pd.DataFrame) -> pd.DataFrame:
    """What ratios are made of: `bars` without the rows that close at or below zero, and without other such prices."""
    prices = bars[list(BAR_COLUMNS[:5])]
    if not (prices <= 0).to_numpy().any():
        return bars
    kept = bars[(prices[["close", "adj_close"]] > 0).all(axis=1)]
    return kept.where((kept > 0) | (kept.columns == "volume"))


def bar_faults(
    values: Mapping[str, Floats], *, complete: bool, positive: bool = True, tolerance: float = 0.0
) -> dict[Fault, Mask]:
    """Which of the bars have each fault, (n_bars,); `tolerance`: how far open and close may leave the range."""
    prices = np.array([values[name] for name in BAR_COLUMNS[:5]])
    needed = prices if complete else prices[3:]
    volume = values["volume"]
    infinite = np.isinf(prices).any(axis=0) | np.isinf(volume)
    below = (prices <= 0.0).any(axis=0) if positive else np.zeros(len(volume), dtype=np.bool_)
    left = outside_range(values["open"], values, tolerance) | outside_range(values["close"], values, tolerance)
    return {
        Fault.NOT_FINITE: ~np.isfinite(needed).all(axis=0) | infinite,
        Fault.NOT_POSITIVE: below | (volume < 0.0),
        Fault.RANGE: left | (values["high"] < values["low"]),
        Fault.NO_VOLUME: ~(volume > 0.0) if complete else np.zeros(len(volume), dtype=np.bool_),
    }


def outside_range(price: Floats, values: Mapping[str, Floats], tolerance: float) -> Mask:
    """Which prices lie above high or below low by more than `tolerance`; NaN bounds bound nothing."""
    high, low = (np.where(np.isinf(values[name]), np.nan, values[name]) for name in ("high", "low"))
    return (price > high + tolerance * np.abs(high)) | (price < low - tolerance * np.abs(low))


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
