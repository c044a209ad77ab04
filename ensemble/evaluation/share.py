"""A share of forecasts with an interval that holds for a handful of them as well."""

import numpy as np

from ensemble.arrays import Floats
from ensemble.evaluation.estimate import Z_95, Estimate
from ensemble.long_run import long_run_variance, rows_for_one


def share(hits: Floats, *, lags: int) -> Estimate:
    """The share of ones in `hits` (n_symbols, n_sessions), NaN left out, with Wilson's (1927) 95 % interval.

    It is as wide as for the number of independent rows that say as much (Kish 1965): stocks of one session move
    together, and labels overlap: `lags` as in `Scored`. Where all hits are alike, sessions that share no label count.
    Resampling, which serves larger ranges, would call three hits of three a certainty.
    """
    known = np.isfinite(hits)
    count = int(known.sum())
    if not count:
        return Estimate(np.nan, np.nan, np.nan)
    value = float(hits[known].mean())
    apart = int(known.any(axis=0).sum()) / (lags // 2 + 1)
    worth = max(count / rows_for_one(hits, lags=lags) if 0 < value < 1 else apart, 1.0)
    centre = (value + Z_95**2 / (2 * worth)) / (1 + Z_95**2 / worth)
    reach = Z_95 / (1 + Z_95**2 / worth) * np.sqrt(value * (1 - value) / worth + Z_95**2 / (4 * worth**2))
    return Estimate(value, float(max(centre - reach, 0.0)), float(min(centre + reach, 1.0)))


def mean_of_sessions(values: Floats) -> Estimate:
    """The mean of `values` (n_sessions,), one a session, with Student's 95 % interval; infinite for fewer than two."""
    from scipy import stats

    count = len(values)
    if not count:
        return Estimate(np.nan, np.nan, np.nan)
    value = float(values.mean())
    if count == 1:
        return Estimate(value, -np.inf, np.inf)
    reach = float(stats.t.ppf(0.975, count - 1)) * float(values.std(ddof=1)) / float(np.sqrt(count))
    return Estimate(value, value - reach, value + reach)


def mean_by_session(values: Floats) -> Estimate:
    """The mean of `values` (n_symbols, n_sessions), NaN left out, with Student's 95 % interval; sessions are units.

    As `ratio_mean` has it, of sessions that share nothing. Infinite for a single one.
    """
    from scipy import stats

    mean, error, sessions = ratio_mean(values)
    if not sessions:
        return Estimate(np.nan, np.nan, np.nan)
    if sessions == 1:
        return Estimate(mean, -np.inf, np.inf)
    reach = float(stats.t.ppf(0.975, sessions - 1)) * error
    return Estimate(mean, mean - reach, mean + reach)


def ratio_mean(values: Floats, *, lags: int = 0) -> tuple[float, float, int]:
    """The mean of `values` (n_symbols, n_sessions), NaN left out, its standard error, and how many sessions have any.

    A ratio of sums, by Cochran (1977), sec. 6.3: stocks of one session move together, and their number may differ. The
    variance counts `lags` neighbours on either side, Newey and West (1987). Of a single session the error is infinite,
    of none the mean is NaN.
    """
    known = np.isfinite(values)
    rows = known.sum(axis=0)
    rows = rows[rows > 0]
    if not len(rows):
        return np.nan, np.nan, 0
    sums = np.where(known, values, 0.0).sum(axis=0)[known.any(axis=0)]
    mean = float(sums.sum() / rows.sum())
    if len(rows) == 1:
        return mean, np.inf, 1
    residuals = (sums - mean * rows) / rows.mean()
    variance = long_run_variance(residuals, lags=min(lags, len(rows) - 1))
    return mean, float(np.sqrt(variance / (len(rows) - 1))), len(rows)
