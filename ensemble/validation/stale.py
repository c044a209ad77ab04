"""Bars that were copied, or that another paper left behind: what a feed writes where nothing new was known."""

from math import ceil, log

import numpy as np
import pandas as pd

from ensemble.arrays import Floats, Mask
from ensemble.bars import BAR_COLUMNS
from ensemble.validation.rows import Columns

CHANCE = 1e-9
"""Of so many equal closes in a row, below which they are copies, where neither range nor volume tells days apart."""
CENT = 0.01
COUNTED = 1000.0
"""Volume from which on it does not come twice."""
DEAD_SESSIONS = 60
"""Without any trade: a paper that was asleep, or none at all."""
AWAKENED = 50.0
"""Times the volume before it that a listing has, by the medians of AWAKE_SESSIONS."""
AWAKE_SESSIONS = 20
LISTED_WITHIN = 250
"""Bars after the long sleep in which the listing is looked for."""


def frozen(values: Columns) -> Mask:
    """Which bars are the one before, to the last digit. A day's range and volume do not come twice; a close may.

    Flat bars without volume are another thing: days without trade.
    """
    same = {name: _repeats(values[name]) for name in BAR_COLUMNS}
    prices = same["open"] & same["high"] & same["low"] & same["close"] & same["volume"]
    counted = values["volume"] >= COUNTED
    ranges = values["high"] > values["low"]
    whole = prices & (counted | ranges)
    if np.isfinite(values["high"]).any():
        return whole
    copies = _in_a_row(same["close"], _copies_that_are_no_chance(values["close"]))
    return whole | (same["close"] & same["volume"] & counted) | copies


def _copies_that_are_no_chance(closes: Floats) -> int:
    """How many in a row: an index in the thousands hardly closes where it did, oil at 17.52 does now and then."""
    moves = np.abs(np.diff(closes))
    usual = float(np.median(moves[moves > 0])) if (moves > 0).any() else CENT
    chance = min(CENT / usual / 2, 0.5)
    return max(2, ceil(log(CHANCE) / log(chance)))


def before_listing(book: pd.DataFrame, dead: pd.DatetimeIndex) -> Mask:
    """Bars of another paper, or of none, that had the name before what trades under it now.

    `dead`: sessions without a trade. After DEAD_SESSIONS of them in a row and perhaps a few thin ones, the volume
    grows by AWAKENED at once: what is quoted since is another thing. It begins where it opened farthest from the
    close before.
    """
    none = np.zeros(len(book), dtype=np.bool_)
    begins = _end_of_sleep(book, dead)
    if begins is None:
        return none
    volume = book["volume"]
    before = volume.rolling(AWAKE_SESSIONS, min_periods=AWAKE_SESSIONS // 2).median().shift(1)
    after = volume[::-1].rolling(AWAKE_SESSIONS).median()[::-1]
    awake = (after >= AWAKENED * before).to_numpy()
    near = np.arange(len(book))
    awake = awake & (near >= max(begins, 1)) & (near < begins + LISTED_WITHIN)
    if not awake.any():
        return none
    gaps = np.abs(np.log(book["open"].to_numpy() / book["close"].shift(1).to_numpy()))
    return near < int(np.argmax(np.where(awake, gaps, -1.0)))


def _end_of_sleep(book: pd.DataFrame, dead: pd.DatetimeIndex) -> int | None:
    """The place of the first bar after the last DEAD_SESSIONS in a row without a trade; None: there were none such."""
    if len(dead) < DEAD_SESSIONS:
        return None
    places = book.index.searchsorted(dead)
    together, counts = np.unique(places, return_counts=True)
    long = together[counts >= DEAD_SESSIONS]
    return int(long[-1]) if len(long) else None


def _repeats(column: Floats) -> Mask:
    """Equal to the one before; NaN equals NaN."""
    same = np.zeros(len(column), dtype=np.bool_)
    same[1:] = (column[1:] == column[:-1]) | (np.isnan(column[1:]) & np.isnan(column[:-1]))
    return same


def _in_a_row(flags: Mask, least: int) -> Mask:
    """The flags of runs of `least` and more."""
    ends = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    found = np.zeros(len(flags), dtype=np.bool_)
    for first, stop in ends.reshape(-1, 2).tolist():
        found[first:stop] = stop - first >= least
    return found
