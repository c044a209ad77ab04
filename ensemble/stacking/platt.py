"""Calibration by a straight line in log-odds: Platt (1999), without his target smoothing."""

from dataclasses import dataclass

import numpy as np

from ensemble.arrays import Floats
from ensemble.stacking.logistic import fit_logistic

SLOPE_STRENGTH = 30.0
"""Ridge towards slope 1: a short history must not turn the forecasts around."""
INTERCEPT_STRENGTH = 300.0
"""Ridge towards intercept 0: last year's share of ups is not next month's."""


@dataclass(frozen=True, slots=True)
class Line:
    """calibrated log-odds = intercept + slope * log-odds."""

    slope: float = 1.0
    intercept: float = 0.0

    def __call__(self, log_odds: Floats) -> Floats:
        """Same shape."""
        return self.intercept + self.slope * log_odds


def fit_line(log_odds: Floats, outcomes: Floats, *, alike: float = 1.0) -> Line:
    """The line of least penalised log loss through n pairs, of which `alike` tell as much as one."""
    design = np.column_stack([np.ones_like(log_odds), log_odds])
    strength = alike * np.array([INTERCEPT_STRENGTH, SLOPE_STRENGTH])
    intercept, slope = fit_logistic(design, outcomes, prior=np.array([0.0, 1.0]), strength=strength)
    return Line(slope=float(slope), intercept=float(intercept))
