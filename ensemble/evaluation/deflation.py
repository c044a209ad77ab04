"""What the best trial's Sharpe ratio is worth once all trials are counted: Bailey and Lopez de Prado (2012, 2014).

Works on gains, one number a session. Of forecasts, the gain is the base rate's log loss less their own: what the wealth
of somebody grows by who bets on them against the base rate as Kelly (1956) says. So mean over deviation is a Sharpe
ratio here as it is for returns. None is annualised.
"""

from dataclasses import dataclass

import numpy as np

from ensemble.arrays import Floats
from ensemble.long_run import long_run_variance

EULER_MASCHERONI = 0.5772156649015329


@dataclass(frozen=True, slots=True)
class Moments:
    """What a series of gains says about its Sharpe ratio."""

    sharpe: float
    """Mean over standard deviation, a session."""
    skewness: float
    kurtosis: float
    """3 for the normal distribution."""
    sessions: float
    """As many independent sessions as the series is worth."""


@dataclass(frozen=True, slots=True)
class DeflatedSharpe:
    """The best trial's Sharpe ratio beside the one that the best of as many trials without skill would show."""

    sharpe: float
    benchmark: float
    """Expected maximum of the trials, had none of them any skill."""
    probability: float
    """That the true Sharpe ratio exceeds 0, the trials counted: the deflated Sharpe ratio."""
    trials: float
    """How many there were."""


def deflated_sharpe(gains: Floats, trial_sharpes: Floats, *, trials: float, lags: int = 0) -> DeflatedSharpe:
    """The deflated Sharpe ratio of the best trial's `gains` (n_sessions,). Bailey and Lopez de Prado (2014), eq. 2.

    `trial_sharpes` (n,) are those known, of which only the variance counts; `trials` is how many there were, known or
    not; with overlapping labels `lags` is how many neighbouring sessions a gain depends on.
    """
    said = moments(gains, lags=lags)
    # A single one known says nothing of how much they vary; without skill, each would by one over the sessions.
    variance = float(np.var(trial_sharpes, ddof=1)) if len(trial_sharpes) > 1 else 1 / said.sessions
    benchmark = expected_maximum(variance, trials)
    return DeflatedSharpe(said.sharpe, benchmark, probabilistic_sharpe(said, benchmark), trials)


def sharpe_ratios(gains: Floats) -> Floats:
    """Mean over standard deviation of each column: (n_sessions, n_trials) -> (n_trials,); 0 for a constant one."""
    deviation = gains.std(axis=0, ddof=1)
    return np.asarray(np.where(deviation > 0, gains.mean(axis=0) / np.where(deviation > 0, deviation, 1.0), 0.0))


def moments(gains: Floats, *, lags: int = 0) -> Moments:
    """The moments of a series (n_sessions,). Raises ValueError for fewer than 3 gains, or equal ones."""
    count, deviation = len(gains), float(gains.std())
    if count < 3 or deviation == 0:
        raise ValueError(f"{count} gains, deviation {deviation}; a Sharpe ratio takes at least 3 that differ.")
    standard = (gains - gains.mean()) / deviation
    # Overlapping labels say the same thing several times: so many sessions count as one.
    repeated = max(long_run_variance(gains, lags=min(lags, count - 1)) / deviation**2, 1.0)
    sharpe = float(gains.mean() / gains.std(ddof=1))
    return Moments(sharpe, float(np.mean(standard**3)), float(np.mean(standard**4)), count / repeated)


def probabilistic_sharpe(said: Moments, benchmark: float) -> float:
    """P(the true Sharpe ratio exceeds `benchmark`). Bailey and Lopez de Prado (2012)."""
    from scipy import stats

    return float(stats.norm.cdf((said.sharpe - benchmark) * np.sqrt(max(said.sessions - 1, 0) / _spread(said))))


def minimum_track_record(said: Moments, benchmark: float, *, sure: float = 0.95) -> float | None:
    """Sessions that such gains must last before the true Sharpe ratio exceeds `benchmark` with probability `sure`.

    Bailey and Lopez de Prado (2012). None where no record is long enough: the ratio is not above it.
    """
    from scipy import stats

    if said.sharpe <= benchmark:
        return None
    return float(1 + _spread(said) * (stats.norm.ppf(sure) / (said.sharpe - benchmark)) ** 2)


def _spread(said: Moments) -> float:
    """Variance of an estimated Sharpe ratio, times the sessions. Bailey and Lopez de Prado (2012)."""
    return 1 - said.skewness * said.sharpe + (said.kurtosis - 1) / 4 * said.sharpe**2


def expected_maximum(variance: float, trials: float) -> float:
    """Expected maximum of that many Sharpe ratios around 0 with that variance; 0 for one trial or none.

    Bailey and Lopez de Prado (2014), eq. 1.
    """
    from scipy import stats

    if trials <= 1:
        return 0.0
    upper, further = stats.norm.ppf([1 - 1 / trials, 1 - 1 / (trials * np.e)])
    return float(np.sqrt(variance) * ((1 - EULER_MASCHERONI) * upper + EULER_MASCHERONI * further))


def independent_trials(gains: Floats, trials: int) -> float:
    """How many independent trials so many are worth whose gains (n_sessions, n_known) are alike.

    Mean correlation r: r + (1 - r) trials. Bailey and Lopez de Prado (2014), appendix 3. Not below 1; constant columns
    and fewer than two tell nothing.
    """
    varying = gains[:, gains.std(axis=0) > 0]
    if varying.shape[1] < 2:
        return float(trials)
    correlations = np.asarray(np.corrcoef(varying, rowvar=False))
    mean = float(correlations[np.triu_indices_from(correlations, k=1)].mean())
    return max(mean + (1 - mean) * trials, 1.0)
