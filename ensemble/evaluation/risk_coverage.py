"""What is left out by acting only on the more confident forecasts, and how often the others are wrong."""

from dataclasses import dataclass

import numpy as np

from ensemble.arrays import Floats
from ensemble.evaluation.estimate import Estimate
from ensemble.evaluation.scored import Scored
from ensemble.evaluation.share import share


@dataclass(frozen=True, slots=True)
class RiskPoint:
    """One point of the curve."""

    coverage: float
    """Share of all forecasts that are kept."""
    confidence: float
    """They have max(p, 1 - p) at or above it."""
    risk: float
    """Share of those kept that was wrong."""


@dataclass(frozen=True, slots=True)
class KeptRisk:
    """One point of the curve with its uncertainty."""

    coverage: float
    """Share of all forecasts that are kept."""
    confidence: float
    """They have max(p, 1 - p) at or above it."""
    forecasts: int
    risk: Estimate
    """Share of those kept that was wrong, with its 95 % interval."""


@dataclass(frozen=True, slots=True)
class RiskCoverage:
    """The risk-coverage curve, most confident forecasts first, one point a distinct confidence."""

    confidence: Floats
    """Forecasts with max(p, 1 - p) at or above it are kept, (n_points,), falling."""
    coverage: Floats
    """Share of all forecasts that are kept, (n_points,)."""
    risk: Floats
    """Share of those kept that was wrong, (n_points,)."""
    augrc: float
    """Share that is kept and wrong, averaged over all coverages: half the square of the overall risk for a confidence
    that knows all errors, half the overall risk for one that knows nothing. Traub et al. (2024)."""

    def tenths(self) -> tuple[RiskPoint, ...]:
        """The points at which a tenth of the forecasts is kept, two tenths, and so on, or a few more of one size."""
        places = np.searchsorted(self.coverage, np.linspace(0.1, 1, 10) - 1e-9)
        return tuple(
            RiskPoint(float(self.coverage[place]), float(self.confidence[place]), float(self.risk[place]))
            for place in dict.fromkeys(places.tolist())
        )


def risk_coverage(scored: Scored) -> RiskCoverage:
    """The curve of the forecasts whose outcome is known; above one half says up."""
    probability, outcome = scored.flat()
    wrong = (probability > 0.5) != (outcome > 0.5)
    confidence = np.maximum(probability, 1 - probability)
    levels, place = np.unique(-confidence, return_inverse=True)
    kept, mistaken = (np.bincount(place, weights).cumsum() for weights in (np.ones(len(place)), wrong))
    coverage, joint = kept / len(place), mistaken / len(place)
    augrc = np.trapezoid(np.concatenate([[0.0], joint]), np.concatenate([[0.0], coverage]))
    return RiskCoverage(-levels, coverage, mistaken / kept, float(augrc))


def kept_risks(scored: Scored) -> tuple[KeptRisk, ...]:
    """The curve at each tenth of the forecasts whose outcome is known, with intervals that know of overlaps."""
    sure = np.maximum(scored.probability, 1 - scored.probability)
    wrong = np.where(scored.known, (scored.probability > 0.5) != (scored.outcome > 0.5), np.nan)
    found = []
    for point in risk_coverage(scored).tenths():
        kept = scored.known & (sure >= point.confidence)
        risk = share(np.where(kept, wrong, np.nan), lags=scored.lags)
        found.append(KeptRisk(point.coverage, point.confidence, int(kept.sum()), risk))
    return tuple(found)
