"""How deep an account fell below its peak, and how long it took to come back."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from ensemble.arrays import Floats


@dataclass(frozen=True, slots=True)
class Drawdown:
    """The deepest fall. Lengths are in sessions after the peak's own."""

    depth_pct: float
    """Below the peak; above 0."""
    peak: date | None
    """Session whose close was the peak; None for the capital before the first."""
    trough: date
    recovered: date | None
    """First session whose close was at the peak again; None while it is not."""
    length_sessions: int
    """From the peak until it was reached again, or until the end."""
    recovery_sessions: int | None
    """From the trough until the peak was reached again; None while it is not."""
    longest_sessions: int
    """The longest stretch below a peak, which need not be the deepest."""


def deepest_drawdown(equity: Floats, *, capital: float, sessions: Sequence[date]) -> Drawdown | None:
    """The deepest fall of `equity`, (n_sessions,) at the closes, from `capital` on; None when there is none."""
    values = np.concatenate([[capital], equity])
    peaks = np.maximum.accumulate(values)
    below = values < peaks
    if not below.any():
        return None
    depth = 1 - values / peaks
    trough = int(depth.argmax())
    peak = int(np.flatnonzero(~below[:trough])[-1])
    again = np.flatnonzero(~below[trough:])
    recovered = trough + int(again[0]) if len(again) else None
    at = (None, *sessions)
    return Drawdown(
        depth_pct=100 * float(depth[trough]),
        peak=at[peak],
        trough=sessions[trough - 1],
        recovered=None if recovered is None else at[recovered],
        length_sessions=(len(values) - 1 if recovered is None else recovered) - peak,
        recovery_sessions=None if recovered is None else recovered - trough,
        longest_sessions=_longest(below),
    )


def _longest(below: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> int:
    """Sessions from the last peak to the first close at it again, or to the end; the longest of all."""
    at_peak = np.flatnonzero(~below)
    gaps = np.diff(at_peak)
    # Between two neighbouring peaks nothing was below: a gap of 1 is no drawdown.
    longest = int(gaps[gaps > 1].max()) if (gaps > 1).any() else 0
    return max(longest, len(below) - 1 - int(at_peak[-1]))
