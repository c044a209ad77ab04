"""The variance of a mean whose terms are not independent."""

import numpy as np

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


def rows_for_one(errors: Floats, *, lags: int) -> float:
    """How many rows of `errors` (n_symbols, n_sessions), NaN unknown, tell as much as one independent row; at least 1.

    The design effect of Kish (1965): stocks of one session move together, and labels overlap by `lags` sessions. The
    variance that the sum of the errors has, over the one it would have if every row stood for itself.
    """
    known = np.isfinite(errors)
    centred = np.where(known, errors - np.nanmean(errors), 0.0)
    sums = centred.sum(axis=0)[known.any(axis=0)]
    alone = float((centred**2).sum())
    if alone == 0:
        return 1.0
    return max(len(sums) * long_run_variance(sums, lags=min(lags, len(sums) - 1)) / alone, 1.0)
