"""Resampling of sessions in blocks, and the test for the best of many: the only importer of arch, and only to draw."""

from dataclasses import dataclass

import numpy as np

from ensemble.arrays import Floats, Integers
from ensemble.long_run import long_run_variance

MIN_SESSIONS = 20
"""Fewer say nothing about how long the memory of a series is, nor which of several is best."""


@dataclass(frozen=True, slots=True)
class Superiority:
    """Is the best of several really better than the benchmark, given that the best was looked for?"""

    best: int
    """Which of them gained most, measured in its own standard errors; -1 where it cannot be told."""
    p_value: float
    """Hansen's consistent p-value; 1 where it cannot be told."""
    p_low: float
    """His lower bound: nothing worse than the benchmark counts as tried."""
    p_high: float
    """His upper bound, White's reality check: everything tried counts in full."""


def block_length(series: Floats, *, horizon: int) -> int:
    """Sessions that a block holds on average: Politis and White's choice (2004, 2009), above the overlap.

    `series`, (n_sessions,), is what the score is a mean of. Labels that overlap reach over `horizon` sessions: blocks
    are at least 2 `horizon` - 1 long, because each end of a block loses what overlaps it.
    """
    least = 2 * horizon - 1
    if len(series) < MIN_SESSIONS or np.ptp(series) == 0:
        return least
    from arch.bootstrap import optimal_block_length

    chosen = float(optimal_block_length(series)["stationary"].iloc[0])
    return max(least, min(int(np.ceil(chosen)), len(series) // 4)) if np.isfinite(chosen) else least


def session_draws(n_sessions: int, *, block: int, draws: int, seed: int) -> Integers:
    """Which session stands at each place of each resample, (draws, n_sessions).

    The stationary bootstrap of Politis and Romano (1994): blocks of random length, `block` on average, the last session
    followed by the first.
    """
    from arch.bootstrap import StationaryBootstrap

    bootstrap = StationaryBootstrap(block, np.arange(n_sessions), seed=seed)
    return np.stack([drawn[0] for drawn, _ in bootstrap.bootstrap(draws)])


def session_weights(n_sessions: int, *, block: int, draws: int, seed: int) -> Floats:
    """How often each session is drawn in each resample, (draws, n_sessions); every row adds up to n_sessions."""
    drawn = session_draws(n_sessions, block=block, draws=draws, seed=seed)
    return counted(drawn)


def counted(drawn: Integers) -> Floats:
    """How often each session stands in each of `drawn`, (draws, n_sessions), whose order is lost."""
    draws, n_sessions = drawn.shape
    flat = (drawn + n_sessions * np.arange(draws)[:, None]).ravel()
    return np.bincount(flat, minlength=drawn.size).reshape(drawn.shape).astype(np.float64)


def superior_ability(gains: Floats, *, block: int, draws: int = 1000, seed: int = 0) -> Superiority:
    """Hansen's (2005) test on `gains` (n_sessions, n_tried): the benchmark's loss less that of each one tried.

    Those that never differ from the benchmark are left out. A p-value is never below 1 / (draws + 1).
    """
    spread = np.sqrt([long_run_variance(column, lags=min(block - 1, len(column) - 1)) for column in gains.T])
    differing = np.flatnonzero(spread > 0)
    if len(gains) < MIN_SESSIONS or len(differing) == 0:
        return Superiority(-1, 1.0, 1.0, 1.0)
    from arch.bootstrap import SPA

    # arch divides by the standard errors only in its bound, not in the statistic; so they are divided out before.
    scaled = gains[:, differing] / spread[differing]
    test = SPA(np.zeros(len(scaled)), -scaled, block_size=block, reps=draws, seed=seed)
    test.compute()
    low, consistent, high = ((draws * float(p) + 1) / (draws + 1) for p in test.pvalues)
    return Superiority(int(differing[scaled.mean(axis=0).argmax()]), consistent, low, high)
