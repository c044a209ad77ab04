"""The AUC of a range of forecasts with its interval: pooled, or averaged over months."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from ensemble.arrays import Floats
from ensemble.evaluation.estimate import Estimate
from ensemble.evaluation.overlap import overlap_freedom, overlap_variance
from ensemble.evaluation.placement import auc, placements
from ensemble.evaluation.scored import Scored
from ensemble.long_run import long_run_variance

Folds = Literal["M", "Q", "Y"]
"""Months, quarters or years."""
LEVEL = 0.975


@dataclass(frozen=True, slots=True)
class RocArea:
    """An AUC, its standard error and 95 % interval; NaN where there is too little to tell."""

    value: float
    low: float
    high: float
    standard_error: float
    p_value: float
    """Chance of so high an area if the forecasts ranked nothing, one-sided; 1 where it cannot be told."""
    folds: int
    """Folds that the area is a mean of; 1 when pooled."""

    @property
    def estimate(self) -> Estimate:
        """Value and interval alone."""
        return Estimate(self.value, self.low, self.high)


@dataclass(frozen=True, slots=True)
class AreaDifference:
    """By how much one AUC is above another on the same outcomes."""

    difference: float
    standard_error: float
    p_value: float
    """Chance of so large an advantage if there were none, one-sided; 1 where it cannot be told."""


def pooled_auc(scored: Scored) -> RocArea:
    """The AUC over all forecasts at once. DeLong et al. (1988), clustered by session as in Obuchowski (1997).

    In a walk-forward the pooled area of forecasts without skill lies below one half, because what was learnt from
    past outcomes leans against later ones: `fold_auc` is the one to believe. Equals DeLong's but for a factor near 1
    when each session has one forecast and labels do not overlap; where they do, see `overlap_variance`.
    """
    pulls, horizon = _pulls(scored), scored.horizon
    freedom = overlap_freedom(len(pulls), horizon=horizon)
    return _area(auc(*scored.flat()), _standard_error(pulls, horizon), freedom=freedom, folds=1)


def fold_auc(scored: Scored, folds: Folds | None = None) -> RocArea:
    """The mean AUC over months, for a single symbol over quarters; folds of one outcome only are left out.

    Its standard error is from how much the folds differ, Student's t; neighbouring folds share labels that overlap,
    and so their covariance counts there.
    """
    areas = _fold_areas(scored, scored.probability, folds)
    areas = areas[np.isfinite(areas)]
    if len(areas) == 0:
        return RocArea(np.nan, np.nan, np.nan, np.nan, 1.0, 0)
    freedom = max(len(areas) - 1, 1)
    return _area(float(areas.mean()), _mean_error(areas, scored.horizon), freedom=freedom, folds=len(areas))


def compare_auc(scored: Scored, other: Floats) -> AreaDifference:
    """Pooled AUC of `scored` less that of `other` (n_symbols, n_sessions), where both spoke. DeLong et al. (1988)."""
    both = scored.where(np.isfinite(other))
    rival = scored.saying(other).where(np.isfinite(scored.probability))
    pulls = _pulls(both) - _pulls(rival)
    difference = auc(*both.flat()) - auc(*rival.flat())
    freedom = overlap_freedom(len(pulls), horizon=scored.horizon)
    return _difference(difference, _standard_error(pulls, scored.horizon), freedom=freedom)


def compare_fold_auc(scored: Scored, other: Floats, folds: Folds | None = None) -> AreaDifference:
    """Fold-averaged AUC of `scored` less that of `other`, fold by fold: a paired t-test over months or quarters."""
    both = np.isfinite(scored.probability) & np.isfinite(other)
    sides = [_fold_areas(scored, np.where(both, side, np.nan), folds) for side in (scored.probability, other)]
    gains = sides[0] - sides[1]
    gains = gains[np.isfinite(gains)]
    if len(gains) == 0:
        return AreaDifference(np.nan, np.nan, 1.0)
    return _difference(float(gains.mean()), _mean_error(gains, scored.horizon), freedom=max(len(gains) - 1, 1))


def delong_variance(probability: Floats, outcome: Floats) -> float:
    """Variance of the AUC of n independent forecasts. DeLong et al. (1988), eq. 5; two of either outcome at least."""
    up = outcome > 0.5
    placed = placements(probability, outcome)
    return float(sum(placed[side].var(ddof=1) / side.sum() for side in (up, ~up)))


def _pulls(scored: Scored) -> Floats:
    """How far each session's forecasts pull the pooled area from its mean, (n_sessions with any,); they add up to 0."""
    said, outcome = scored.flat()
    up = outcome > 0.5
    if not 0 < up.sum() < len(up):
        return np.zeros(0)
    placed = placements(said, outcome)
    each = (placed - placed[up].mean()) / np.where(up, up.sum(), (~up).sum())
    session = np.nonzero(scored.known.T)[0]
    return np.asarray(np.bincount(session, each)[np.unique(session)], dtype=np.float64)


def _standard_error(pulls: Floats, horizon: int) -> float:
    count = len(pulls)
    if count < 2:
        return np.nan
    return float(np.sqrt(count**2 / (count - 1) * overlap_variance(pulls, horizon=horizon)))


def _mean_error(values: Floats, horizon: int) -> float:
    """Standard error of a mean over folds; only neighbours can share overlapping labels."""
    count = len(values)
    if count < 2:
        return np.nan
    lags = 1 if horizon > 1 and count > 2 else 0
    return float(np.sqrt(long_run_variance(values, lags=lags) / (count - 1)))


def _fold_areas(scored: Scored, probability: Floats, folds: Folds | None) -> Floats:
    """The AUC of each fold, (n_folds,), NaN where it is not defined."""
    period = folds or ("M" if len(scored.symbols) > 1 else "Q")
    fold, _ = scored.sessions.to_period(period).factorize()
    known = np.isfinite(probability) & np.isfinite(scored.outcome)
    areas = [
        auc(probability[:, rows][known[:, rows]], scored.outcome[:, rows][known[:, rows]])
        for rows in (fold == one for one in range(int(fold.max(initial=-1)) + 1))
    ]
    return np.array(areas, dtype=np.float64)


def _area(value: float, standard_error: float, *, freedom: float, folds: int) -> RocArea:
    from scipy import stats

    reach = float(stats.t.ppf(LEVEL, freedom)) * standard_error
    low, high = (float(np.clip(value + side * reach, 0, 1)) for side in (-1, 1))
    above_chance = _difference(value - 0.5, standard_error, freedom=freedom)
    return RocArea(value, low, high, standard_error, above_chance.p_value, folds)


def _difference(value: float, standard_error: float, *, freedom: float) -> AreaDifference:
    from scipy import stats

    if not standard_error > 0:
        return AreaDifference(value, standard_error, 1.0)
    return AreaDifference(value, standard_error, float(stats.t.sf(value / standard_error, freedom)))
