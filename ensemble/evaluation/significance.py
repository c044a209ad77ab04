"""Is it more than luck? Tests of the sides taken, of one forecast against another, and of the best of many."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ensemble.arrays import Floats
from ensemble.evaluation.resampling import superior_ability
from ensemble.evaluation.scored import Scored
from ensemble.evaluation.scores import log_losses
from ensemble.stacking.comparison import Comparison, compare


@dataclass(frozen=True, slots=True)
class SidesTest:
    """Do the sides that were taken go with the outcomes?"""

    advantage: float
    """Share of ups among the forecasts of up, less that among the forecasts of down; NaN for a constant side."""
    statistic: float
    """In standard errors."""
    p_value: float
    """Chance of so large a value if sides and outcomes were independent, one-sided; 1 where it cannot be told."""


@dataclass(frozen=True, slots=True)
class BestOfMany:
    """Hansen's test of superior predictive ability: is the best of all that were tried better than the benchmark?"""

    best: str
    """The one with the largest gain in its own standard errors; empty where it cannot be told."""
    p_value: float
    """Consistent p-value of Hansen (2005); 1 where it cannot be told."""
    p_low: float
    p_high: float
    """Bounds: what is worse than the benchmark counts not at all, or in full."""
    tried: int


def pesaran_timmermann(scored: Scored) -> SidesTest:
    """Pesaran and Timmermann (1992, 2009): sides against outcomes, whatever the share of ups of either.

    As a regression of outcome on side whose errors may go together within a session and over sessions whose labels
    overlap (Driscoll and Kraay 1998), its variance under independence. Without either it differs from the statistic
    of 1992 by a factor near 1.
    """
    probability, outcome = scored.flat()
    side = (probability > 0.5).astype(np.float64)
    if len(np.unique(side)) < 2 or len(np.unique(outcome)) < 2:
        return SidesTest(np.nan, np.nan, 1.0)
    together = (side - side.mean()) * (outcome - outcome.mean())
    session = np.nonzero(scored.known.T)[0]
    by_session = np.asarray(np.bincount(session, together)[np.unique(session)], dtype=np.float64)
    advantage = float(together.sum() / ((side - side.mean()) ** 2).sum())
    statistic, p_value = _mean_above_zero(by_session, lags=scored.lags)
    return SidesTest(advantage, statistic, p_value)


def diebold_mariano(scored: Scored, other: Floats) -> Comparison:
    """Is the log loss of `scored` below that of `other` (n_symbols, n_sessions)? Where both spoke; see `compare`."""
    losses, rival = (log_losses(one, scored.outcome) for one in (scored.probability, other))
    both = np.isfinite(losses) & np.isfinite(rival)
    return compare(*(np.where(both, one, np.nan) for one in (losses, rival)), horizon=scored.horizon)


def session_losses(scored: Scored) -> Floats:
    """Mean log loss over the stocks of each session, (n_sessions,), nats; NaN where no outcome is known."""
    losses = log_losses(scored.probability, scored.outcome)
    known = np.isfinite(losses)
    with np.errstate(invalid="ignore"):
        mean: Floats = np.where(known, losses, 0.0).sum(axis=0) / known.sum(axis=0)
    return mean


def superior_predictive_ability(
    tried: Mapping[str, Floats], benchmark: Floats, *, block: int, draws: int = 1000, seed: int = 0
) -> BestOfMany:
    """Hansen's (2005) test. `tried`: name -> loss of each session (n_sessions,); `benchmark` the same; less is better.

    Sessions that one of them does not know are left out. `block`: sessions a resampled block holds on average, at
    least the label's horizon (`resampling.block_length`).
    """
    gains = benchmark[:, None] - np.column_stack(list(tried.values())) if tried else np.zeros((0, 0))
    found = superior_ability(gains[np.isfinite(gains).all(axis=1)], block=block, draws=draws, seed=seed)
    best = "" if found.best < 0 else list(tried)[found.best]
    return BestOfMany(best, found.p_value, found.p_low, found.p_high, len(tried))


def _mean_above_zero(values: Floats, *, lags: int) -> tuple[float, float]:
    """Statistic and one-sided p-value of a mean that is zero under the null; Newey and West (1987) about zero."""
    from scipy import stats

    count = len(values)
    variance = sum(
        (1 if lag == 0 else 2) * (1 - lag / (lags + 1)) * float(values[lag:] @ values[: count - lag])
        for lag in range(min(lags, count - 1) + 1)
    )
    if variance <= 0 or count < 2:
        return np.nan, 1.0
    statistic = float(values.sum() / np.sqrt(variance))
    return statistic, float(stats.t.sf(statistic, count - 1))
