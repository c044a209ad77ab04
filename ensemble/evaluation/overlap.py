"""How uncertain a mean is whose terms overlap: neighbouring labels reach over the same sessions."""

from ensemble.arrays import Floats
from ensemble.long_run import long_run_variance


def overlap_variance(series: Floats, *, horizon: int) -> float:
    """Variance of one term with its covariances; divided by the length of the series it is the variance of its mean.

    Terms depend on each other as far as labels overlap, `horizon` - 1 sessions, so far covariances count in full, and
    fade out over as many more (the trapezoid of Politis and Romano 1995). Weights that fall from the start, as Newey
    and West's do, miss an eighth of such a variance. Where chance makes it less than theirs, theirs is taken.
    """
    reach, count = horizon - 1, len(series)
    centred = series - series.mean()
    total = float(centred @ centred)
    for lag in range(1, min(2 * reach, count - 1) + 1):
        total += 2 * _weight(lag, reach) * float(centred[lag:] @ centred[:-lag])
    return max(total / count, long_run_variance(series, lags=min(2 * reach, count - 1)))


def overlap_freedom(count: int, *, horizon: int) -> float:
    """Degrees of freedom of that variance over `count` sessions: they divided by the sum of the squared weights.

    Tukey (1949); without overlap `count` - 1. At least 1.
    """
    reach = horizon - 1
    squares = 1 + 2 * sum(_weight(lag, reach) ** 2 for lag in range(1, 2 * reach + 1))
    return max(count / squares - 1, 1.0)


def _weight(lag: int, reach: int) -> float:
    return min(1.0, (2 * reach + 1 - lag) / (reach + 1))
