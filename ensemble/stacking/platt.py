"""Calibration by a straight line in log-odds: Platt (1999), without his target smoothing."""

from dataclasses import dataclass

import numpy as np

from ensemble.arrays import Floats
from ensemble.stacking.logistic import fit_logistic

SLOPE_STRENGTH = 10.0
"""Ridge towards slope 1: a short history must not turn the forecasts around."""
INTERCEPT_STRENGTH = 300.0
"""Ridge towards intercept 0. Stocks of one session move together, so a year of seven tells little more about the
share of ups than a year of one; without this the last year's share would be taken for the next month's."""


@dataclass(frozen=True, slots=True)
class Line:
    """calibrated log-odds = intercept + slope * log-odds."""

    slope: float = 1.0
    intercept: float = 0.0

    def __call__(self, log_odds: Floats) -> Floats:
        """Same shape."""
        return self.intercept + self.slope * log_odds


def fit_line(log_odds: Floats, outcomes: Floats) -> Line:
    """The line of least penalised log loss through n pairs."""
    design = np.column_stack([np.ones_like(log_odds), log_odds])
    strength = np.array([INTERCEPT_STRENGTH, SLOPE_STRENGTH])
    intercept, slope = fit_logistic(design, outcomes, prior=np.array([0.0, 1.0]), strength=strength)
    return Line(slope=float(slope), intercept=float(intercept))
