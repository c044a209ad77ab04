"""What a handful of forecasts can say: exact intervals, and exactly how often noise does as well.

For published figures, where only counts are known, and rows that are taken as independent, which flatters them.
"""

from fractions import Fraction

import numpy as np

from ensemble.arrays import Floats
from ensemble.evaluation.published_table import Confusion

Interval = tuple[float, float]


def share_interval(count: int, out_of: int) -> Interval:
    """95 % interval of a share: Clopper and Pearson (1934). (0, 1) out of none."""
    from scipy import stats

    if not out_of:
        return 0.0, 1.0
    found = stats.binomtest(count, out_of).proportion_ci(0.95, method="exact")
    return float(found.low), float(found.high)


def f1_interval(table: Confusion) -> Interval:
    """95 % interval of F1, a rising function of the share TP / (TP + FP + FN) alone: Clopper and Pearson's of that."""
    called = table.true_ups + table.false_ups + table.false_downs
    low, high = share_interval(table.true_ups, called)
    return 2 * low / (1 + low), 2 * high / (1 + high)


def auc_interval(auc: float, ups: int, downs: int) -> Interval:
    """95 % interval of an AUC of which only the counts are known: Hanley and McNeil (1982), cut to [0, 1]."""
    both_ups, both_downs = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    spread = auc * (1 - auc) + (ups - 1) * (both_ups - auc**2) + (downs - 1) * (both_downs - auc**2)
    half = 1.959963984540054 * float(np.sqrt(spread / (ups * downs)))
    return max(auc - half, 0.0), min(auc + half, 1.0)


def coin_is_right(right: int, rows: int) -> float:
    """P(a fair coin is right at least `right` times in `rows`)."""
    from scipy import stats

    return float(stats.binom.sf(right - 1, rows, 0.5))


def coin_has_f1(f1: Fraction, ups: int, downs: int) -> float:
    """P(calling up by a fair coin reaches this F1 on `ups` and `downs`)."""
    from scipy import stats

    true_ups, false_ups = np.arange(ups + 1)[:, None], np.arange(downs + 1)[None, :]
    chance = stats.binom.pmf(true_ups, ups, 0.5) * stats.binom.pmf(false_ups, downs, 0.5)
    # F1 = 2 TP / (called up + ups), compared in whole numbers.
    reached = 2 * true_ups * f1.denominator >= f1.numerator * (true_ups + false_ups + ups)
    return float(chance[reached].sum())


def noise_has_auc(auc: float, ups: int, downs: int) -> float:
    """P(scores drawn at random, without ties, order `ups` and `downs` at least so well): Mann and Whitney (1947)."""
    counts = _orders(ups, downs)
    least = int(np.ceil(auc * ups * downs - 1e-9))
    return float(counts[least:].sum() / counts.sum())


def best_of(chance: float, tries: int) -> float:
    """P(at least one of `tries` independent ones does what one does with `chance`)."""
    return 1 - (1 - chance) ** tries


def _orders(ups: int, downs: int) -> Floats:
    """How many orders of `ups` and `downs` put u up-down pairs right, u = 0 ... ups * downs.

    The coefficients of the Gaussian binomial, which the rows' numbers of pairs multiply up one at a time.
    """
    counts = np.zeros(ups * downs + 1)
    counts[0] = 1.0
    for up in range(1, ups + 1):
        step = downs + up
        counts[step:] -= counts[:-step].copy() if step < len(counts) else 0.0
        for place in range(up, len(counts)):
            counts[place] += counts[place - up]
    return counts
