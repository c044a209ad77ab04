"""Do forecasts come true as often as they say? The curve, its error beside a perfect model's, and Brier's parts."""

from dataclasses import dataclass

import numpy as np

from ensemble.arrays import Floats, Integers
from ensemble.evaluation.scored import Scored

BINS = 10


@dataclass(frozen=True, slots=True)
class CalibrationBin:
    """Forecasts of about one size, and how often they came true."""

    mean_probability: float
    up_share: float
    forecasts: int


@dataclass(frozen=True, slots=True)
class CalibrationError:
    """The expected calibration error (ECE): mean distance of what was said from what came true, over bins."""

    ece: float
    perfect_mean: float
    """What the ECE of forecasts that are exactly right would be on average: no finite range has 0."""
    perfect_95: float
    """What it would exceed in 5 % of such ranges."""
    p_value: float
    """Chance of so large an error if the forecasts were exactly right."""


@dataclass(frozen=True, slots=True)
class BrierParts:
    """brier = reliability - resolution + uncertainty, exactly."""

    brier: float
    reliability: float
    """Mean squared distance of what was said from what came true, over bins; less is better."""
    resolution: float
    """How far what came true differs between forecasts; more is better. That within bins is counted too."""
    uncertainty: float
    """Variance of the outcomes: what always saying their share would cost."""


def calibration_curve(scored: Scored, bins: int = BINS) -> tuple[CalibrationBin, ...]:
    """The forecasts in `bins` of about equal counts, lowest first; forecasts of one size share a bin."""
    probability, outcome = scored.flat()
    place = bin_of(probability, bins)
    groups = (place == one for one in np.unique(place))
    return tuple(
        CalibrationBin(float(probability[rows].mean()), float(outcome[rows].mean()), int(rows.sum())) for rows in groups
    )


def calibration_error(scored: Scored, bins: int = BINS, *, draws: int = 1000, seed: int = 0) -> CalibrationError:
    """The ECE (Naeini et al. 2015) and what it would be if every forecast came true as often as it says.

    Then errors are as likely to fall on either side. So the signs of whole sessions' errors are drawn anew, those of
    stocks of one session and of sessions whose labels overlap together: the wild cluster bootstrap, Cameron et al.
    (2008).
    """
    if not scored.known.any():
        return CalibrationError(np.nan, np.nan, np.nan, 1.0)
    errors = _block_errors(scored, bins)
    signs = np.random.default_rng(seed).choice([-1.0, 1.0], size=(draws, len(errors)))
    perfect = np.abs(signs @ errors).sum(axis=1)
    found = float(np.abs(errors.sum(axis=0)).sum())
    return CalibrationError(
        ece=found,
        perfect_mean=float(perfect.mean()),
        perfect_95=float(np.quantile(perfect, 0.95)),
        p_value=float((1 + (perfect >= found).sum()) / (1 + draws)),
    )


def brier_parts(scored: Scored, bins: int = BINS) -> BrierParts:
    """The Brier score in parts: Murphy (1973); what bins lose is given to the resolution, Stephenson et al. (2008)."""
    probability, outcome = scored.flat()
    place = bin_of(probability, bins)
    count = np.bincount(place)[place]
    said, came = (np.bincount(place, values)[place] / count for values in (probability, outcome))
    within = (probability - said) ** 2 - 2 * (probability - said) * (outcome - came)
    return BrierParts(
        brier=float(((probability - outcome) ** 2).mean()),
        reliability=float(((said - came) ** 2).mean()),
        resolution=float(((came - outcome.mean()) ** 2 - within).mean()),
        uncertainty=float(outcome.var()),
    )


def bin_of(probability: Floats, bins: int) -> Integers:
    """The bin of each forecast, (n,): cut at equal counts, as scikit-learn's `calibration_curve` does."""
    edges = np.quantile(probability, np.linspace(0, 1, bins + 1))
    return np.searchsorted(edges[1:-1], probability).astype(np.int64)


def _block_errors(scored: Scored, bins: int) -> Floats:
    """What each block of sessions adds to the mean error of each bin, (n_blocks, n_bins)."""
    probability, outcome = scored.flat()
    place = bin_of(probability, bins)
    _, session = np.unique(np.nonzero(scored.known.T)[0], return_inverse=True)
    block = session // (scored.lags + 1)
    shape = (int(block.max()) + 1, int(place.max()) + 1)
    added = np.bincount(
        np.ravel_multi_index((block, place), shape), outcome - probability, minlength=shape[0] * shape[1]
    )
    return np.asarray(added.reshape(shape) / len(outcome), dtype=np.float64)
