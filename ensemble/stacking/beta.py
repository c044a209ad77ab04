"""Beta calibration: Kull, Silva Filho and Flach (2017). Unlike Platt's line it may bend the two sides differently."""

from dataclasses import dataclass

import numpy as np

from ensemble.arrays import Floats
from ensemble.stacking.logistic import fit_logistic
from ensemble.stacking.platt import INTERCEPT_STRENGTH

SLOPE_STRENGTH = 100.0
"""Ridge of each slope towards 1; stronger than Platt's, because two slopes follow chance more easily than one."""
LOG_2 = float(np.log(2.0))


@dataclass(frozen=True, slots=True)
class BetaCurve:
    """calibrated log-odds = intercept + up_slope * log p - down_slope * log(1 - p); Platt's line where they agree."""

    up_slope: float = 1.0
    down_slope: float = 1.0
    intercept: float = 0.0

    def __call__(self, log_odds: Floats) -> Floats:
        """Same shape; rises with the log-odds."""
        ups, downs = _sides(log_odds)
        return self.intercept + self.up_slope * ups + self.down_slope * downs


def fit_beta(log_odds: Floats, outcomes: Floats, *, alike: float = 1.0) -> BetaCurve:
    """The curve of least penalised log loss through n pairs, of which `alike` tell as much as one; slopes at least 0.

    A slope that would be negative is set to 0 and the others are fitted again, as the authors do.
    """
    kept = np.array([True, True, True])
    ups, downs = _sides(log_odds)
    # Both sides count from p = 1/2, so that the first weight is what the curve says there, as in Platt's line.
    design = np.column_stack([np.ones_like(log_odds), ups + LOG_2, downs - LOG_2])
    prior = np.array([0.0, 1.0, 1.0])
    strength = alike * np.array([INTERCEPT_STRENGTH, SLOPE_STRENGTH, SLOPE_STRENGTH])
    weights = np.zeros(3)
    while True:
        weights[:] = 0.0
        weights[kept] = fit_logistic(design[:, kept], outcomes, prior=prior[kept], strength=strength[kept])
        falling = [place for place in (1, 2) if weights[place] < 0]
        if not falling:
            at_half, up_slope, down_slope = weights.tolist()
            return BetaCurve(up_slope, down_slope, at_half + (up_slope - down_slope) * LOG_2)
        kept[min(falling, key=lambda place: weights[place])] = False


def _sides(log_odds: Floats) -> tuple[Floats, Floats]:
    """log p and -log(1 - p); their sum is the log-odds."""
    return -np.logaddexp(0.0, -log_odds), np.logaddexp(0.0, log_odds)
