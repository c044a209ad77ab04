"""Does choosing the best trial choose anything? Combinatorially symmetric cross-validation.

Bailey, Borwein, Lopez de Prado and Zhu (2017), The probability of backtest overfitting, Journal of Computational
Finance 20(4): the sessions are cut into blocks; every half of the blocks chooses the best trial, the other half says
where it ranks among all of them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from math import comb

import numpy as np

from ensemble.arrays import Floats
from ensemble.counted import counted

AT_ONCE = 1000
"""Halves that are worked out together: thousands of trials must not take gigabytes."""


@dataclass(frozen=True, slots=True)
class Overfitting:
    """What became of the trial that was best in one half of the sessions, in the other half."""

    probability: float
    """How often it was among the worse half of the trials: the probability of backtest overfitting."""
    loss_probability: float
    """How often it lost there."""
    slope: float
    """Of its Sharpe ratio in the other half, by that in its own; below 0, the better it looked the worse it did."""
    halves: int
    """How many ways there were to cut."""


def probability_of_overfitting(gains: Floats, *, blocks: int = 16) -> Overfitting:
    """From gains (n_sessions, n_trials), one a session: the more, the better.

    Ranks by Sharpe ratio. Raises ValueError unless there are at least two trials, and twice as many sessions as
    `blocks`, which is even.
    """
    sessions, trials = gains.shape
    if trials < 2 or blocks % 2 or blocks < 2 or sessions < 2 * blocks:
        raise ValueError(
            f"{counted(trials, 'trial')} over {counted(sessions, 'session')} in {counted(blocks, 'block')}; it takes 2 "
            "trials, an even number of blocks, and twice as many sessions."
        )
    parts = np.array_split(gains, blocks)
    counts = np.array([len(part) for part in parts], dtype=np.float64)
    sums, squares = (np.stack([(part**power).sum(axis=0) for part in parts]) for power in (1, 2))
    chosen, later, ranks = [], [], []
    for half in _halves(blocks):
        inside, outside = (
            _sharpe(side @ counts, side @ sums, side @ squares) for side in (half.astype(float), 1.0 - half)
        )
        best = inside.argmax(axis=1)[:, None]
        theirs = np.take_along_axis(outside, best, axis=1)
        chosen.append(np.take_along_axis(inside, best, axis=1))
        later.append(theirs)
        ranks.append((outside < theirs).sum(axis=1) + ((outside == theirs).sum(axis=1) + 1) / 2)
    place = np.concatenate(ranks) / (trials + 1)
    before, after = np.concatenate(chosen).ravel(), np.concatenate(later).ravel()
    varied = before - before.mean()
    slope = float(varied @ after / (varied @ varied)) if varied.any() else 0.0
    return Overfitting(float((place <= 0.5).mean()), float((after < 0).mean()), slope, comb(blocks, blocks // 2))


def _halves(blocks: int) -> Iterator[np.ndarray[tuple[int, int], np.dtype[np.bool_]]]:
    """Every half of the blocks, (n, blocks), some at a time."""
    places = np.array(list(combinations(range(blocks), blocks // 2)))
    for start in range(0, len(places), AT_ONCE):
        some = places[start : start + AT_ONCE]
        half = np.zeros((len(some), blocks), dtype=np.bool_)
        half[np.arange(len(some))[:, None], some] = True
        yield half


def _sharpe(counts: Floats, sums: Floats, squares: Floats) -> Floats:
    """(n_halves, n_trials); 0 for a constant trial."""
    mean = sums / counts[:, None]
    variance = squares / counts[:, None] - mean**2
    constant = variance <= 1e-15 * (squares / counts[:, None])
    return np.where(constant, 0.0, mean / np.sqrt(np.where(constant, 1.0, variance)))
