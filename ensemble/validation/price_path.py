"""Closes that cannot be: a row or a run of rows that left its neighbours by a factor and came back by the same.

How far is too far is counted in daily scales of the series itself: a median of the moves before and of those after,
the larger of the two, so that a crash that begins a wild time is not judged by the calm before it. What leaves *and*
comes back *while the market is closed* is a fault of the feed: a true shock is traded into or out of. What leaves and
stays is a true move, or a split that nobody told of: a jump, which is reported and kept.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ensemble.arrays import Floats, Integers, Mask

SCALE_BEFORE, SCALE_AFTER = 60, 20
"""Moves whose median is the scale, on either side."""
LEAST_MOVES = 10
"""That make a scale."""
LEAST_SCALE = 0.001
"""Of a pegged currency, whose median move is nothing."""
LONGEST_RUN = 20
"""Sessions that stay off by one factor before it is a new level."""
SAME_FACTOR_WITHIN = 3.0
"""Scales: what the moves into a run and out of it may differ by, two nights' ordinary moves."""
SAME_SHARE_WITHIN = 0.1
"""Of the factor's logarithm: what they may differ by in any case."""
GAP_SIGMAS = 6.0
"""Scales: enough where both ways were made overnight and cancel."""
CONTRADICTED_SIGMAS = 5.0
"""Scales: enough where the close also lies outside the range that its own bar came with."""
CONTRADICTION_SIGMAS = 2.0
COMES_BACK = 0.35
"""Most that may be left of a bad tick after it."""
COPIED_OPENS = 0.5
"""Share of opens that are the close before, above which the feed knows no opens."""


@dataclass(frozen=True, slots=True)
class PricePath:
    """One series in order, as logarithms, each (n_bars,); NaN where there is none."""

    opens: Floats
    highs: Floats
    lows: Floats
    closes: Floats
    excess: Floats
    scale: Floats

    @property
    def moves(self) -> Floats:
        """Close to close, the first is NaN."""
        return _steps(self.closes, self.closes)

    @property
    def gaps(self) -> Floats:
        """Close to open, close to close where there is no open: what happened overnight, the first is NaN."""
        gaps = _steps(self.opens, self.closes)
        return np.where(np.isnan(gaps), self.moves, gaps)

    def limit(self, sigmas: Floats, least: float) -> Floats:
        """The move that is too far: so many scales, `least` at least; none where the scale is not known."""
        return np.where(np.isnan(self.scale), np.inf, np.fmax(self.scale * sigmas, least))


@dataclass(frozen=True, slots=True)
class Run:
    """Bars `first` to `last`, both included, that are off by the factor exp(`log_factor`)."""

    first: int
    last: int
    log_factor: float


class Runs(list[Run]):
    """Runs of one path, oldest first, none within another."""

    def mask(self, count: int) -> Mask:
        """Which of `count` bars lie in one."""
        mask = np.zeros(count, dtype=np.bool_)
        for run in self:
            mask[run.first : run.last + 1] = True
        return mask


def price_path(values: Mapping[str, Floats], sessions: pd.DatetimeIndex) -> PricePath:
    """Of the columns open, high, low, close, which lies above 0, and excess, as from `range_excess`."""
    opens, highs, lows = (_logs(values[name]) for name in ("open", "high", "low"))
    closes = np.log(values["close"])
    # Some feeds write the close before as the open: it says nothing then, and would say that no night ever moved.
    with np.errstate(invalid="ignore"):
        copied = np.abs(_steps(opens, closes)) < 1e-6
    if copied.sum() > COPIED_OPENS * len(closes):
        opens = np.full(len(opens), np.nan)
    opens[1:][_weekdays(sessions) > 1] = np.nan  # more than a night lies between: its bar is missing or was refused
    return PricePath(opens, highs, lows, closes, values["excess"], daily_scale(closes))


def range_excess(values: Mapping[str, Floats]) -> Floats:
    """How far each close lies outside the range that its bar came with, in logarithms, 0 inside or unknown."""
    high, low, close = (_logs(values[name]) for name in ("high", "low", "close"))
    return np.nan_to_num(np.fmax(np.fmax(close - high, low - close), 0.0))


def daily_scale(closes: Floats) -> Floats:
    """What one day ordinarily moves near each close, in logarithms; NaN where too little is known."""
    moves = pd.Series(np.abs(np.diff(closes, prepend=np.nan)))
    before = moves.shift(1).rolling(SCALE_BEFORE, min_periods=LEAST_MOVES).median()
    after = moves[::-1].shift(1).rolling(SCALE_AFTER, min_periods=LEAST_MOVES).median()[::-1]
    scale = np.fmax(before.to_numpy(), after.to_numpy()) * 1.4826  # the deviation of normal moves
    return np.where(np.isnan(scale), np.nan, np.fmax(scale, LEAST_SCALE))


def misscaled_runs(path: PricePath, sigmas: float, least: float) -> Runs:
    """Runs that left overnight and came back overnight by one factor; where only closes are known, by `sigmas`."""
    gaps, moves = path.gaps, path.moves
    limit = path.limit(np.where(np.isnan(path.opens), sigmas, GAP_SIGMAS), least)
    with np.errstate(invalid="ignore"):
        far = (np.abs(gaps) > limit) & (np.sign(gaps) == np.sign(moves)) & (np.abs(moves) > limit / 2)
    runs = Runs()
    for first, back in _pairs(np.flatnonzero(far)):
        taken = bool(runs) and first <= runs[-1].last
        noise = SAME_FACTOR_WITHIN * max(path.scale[first], path.scale[back])
        within = max(noise, SAME_SHARE_WITHIN * abs(gaps[first]))
        if not taken and gaps[first] * gaps[back] < 0 and abs(gaps[first] + gaps[back]) <= within:
            runs.append(Run(first, back - 1, float(gaps[first] - gaps[back]) / 2))
    return runs


def bad_ticks(path: PricePath, sigmas: float, least: float) -> Mask:
    """Closes that the market did not go on from: the next open is back where the bar before had closed."""
    moves = path.moves
    back = np.append(path.gaps[1:], np.nan)
    left = np.append(path.closes[1:], np.nan) - np.append(np.nan, path.closes[:-1])
    with np.errstate(invalid="ignore"):
        contradicted = path.excess > CONTRADICTION_SIGMAS * path.scale
        limit = path.limit(np.where(contradicted, CONTRADICTED_SIGMAS, sigmas), least)
        leaves = (np.abs(moves) > limit) & (np.abs(back) > limit) & (moves * back < 0)
        found: Mask = leaves & (np.abs(left) <= COMES_BACK * np.abs(moves))
    return found


def wild_wicks(path: PricePath, most: float) -> Mask:
    """Bars whose high or low lies `most` beyond their open and close: no day goes so far and comes back."""
    top, bottom = np.fmax(path.opens, path.closes), np.fmin(path.opens, path.closes)
    with np.errstate(invalid="ignore"):
        return (path.highs - top > most) | (bottom - path.lows > most)


def strays(closes: Floats, limit: float) -> Mask:
    """Closes that are far from the one before and from the one after, while those two agree; a last one that is far."""
    stray = np.zeros(len(closes), dtype=np.bool_)
    if len(closes) < 2:
        return stray
    far = np.abs(closes[1:] - closes[:-1]) > limit
    back = np.abs(closes[2:] - closes[:-2]) <= limit
    stray[1:-1] = far[:-1] & far[1:] & back
    stray[-1] = far[-1] and not stray[-2]
    return stray


def jumps(path: PricePath, sigmas: float, least: float) -> Integers:
    """Bars whose close lies `sigmas` scales and `least` from the close before."""
    with np.errstate(invalid="ignore"):
        return np.flatnonzero(np.abs(path.moves) > path.limit(np.full(len(path.moves), sigmas), least))


def _logs(column: Floats) -> Floats:
    """NaN where there is no logarithm."""
    known = np.isfinite(column) & (column > 0)
    return np.log(np.where(known, column, np.nan))


def _weekdays(sessions: pd.DatetimeIndex) -> Integers:
    """From each session to the next one."""
    days = sessions.to_numpy().astype("datetime64[D]")
    return np.busday_count(days[:-1], days[1:])


def _steps(to: Floats, since: Floats) -> Floats:
    steps = np.full(len(to), np.nan)
    steps[1:] = to[1:] - since[:-1]
    return steps


def _pairs(rows: Integers) -> Iterator[tuple[int, int]]:
    """Each row with the later ones within LONGEST_RUN, nearest first."""
    places = rows.tolist()
    for at, first in enumerate(places):
        for back in places[at + 1 :]:
            if back - first > LONGEST_RUN:
                break
            yield first, back
