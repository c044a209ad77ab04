"""The variance of a mean whose terms are not independent."""

from ensemble.arrays import Floats


def long_run_variance(series: Floats, *, lags: int) -> float:
    """Variance of one term, its covariances with `lags` neighbours on either side included, weights falling to zero.

    Newey and West (1987), eq. 5. Divided by the length of the series it is the variance of its mean.
    """
    centred = series - series.mean()
    total = float(centred @ centred)
    for lag in range(1, lags + 1):
        total += 2 * (1 - lag / (lags + 1)) * float(centred[lag:] @ centred[:-lag])
    return total / len(series)
