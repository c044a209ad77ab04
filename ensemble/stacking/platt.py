"""Calibration by a straight line in log-odds: Platt (1999), without his target smoothing."""

from dataclasses import dataclass

import numpy as np

from ensemble.arrays import Floats

MIN_OUTCOMES = 50
STEPS = 50
PRIOR_STRENGTH = 10.0
"""Ridge towards slope 1, intercept 0: a short history must not turn the forecasts around."""


@dataclass(frozen=True, slots=True)
class Line:
    """calibrated log-odds = intercept + slope * log-odds."""

    slope: float = 1.0
    intercept: float = 0.0

    def __call__(self, log_odds: Floats) -> Floats:
        """Same shape."""
        return self.intercept + self.slope * log_odds


def fit_line(log_odds: Floats, outcomes: Floats) -> Line:
    """The line of least penalised log loss through n pairs, by Newton's method; the identity below MIN_OUTCOMES."""
    if len(outcomes) < MIN_OUTCOMES:
        return Line()
    design = np.column_stack([np.ones_like(log_odds), log_odds])
    prior = np.array([0.0, 1.0])
    weights = prior.copy()
    for _ in range(STEPS):
        probability = 1 / (1 + np.exp(-design @ weights))
        gradient = design.T @ (probability - outcomes) + PRIOR_STRENGTH * (weights - prior)
        curvature = (design * (probability * (1 - probability))[:, None]).T @ design + PRIOR_STRENGTH * np.eye(2)
        step = np.linalg.solve(curvature, gradient)
        weights = weights - step
        if np.abs(step).max() < 1e-10:
            break
    return Line(slope=float(weights[1]), intercept=float(weights[0]))
