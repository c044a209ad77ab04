"""Logistic regression with a handful of weights that are pulled towards what is believed beforehand."""

import numpy as np

from ensemble.arrays import Floats

STEPS = 50
HALVINGS = 30
TOLERANCE = 1e-10
ROUNDING = 1e-12
"""Share of the cost by which it may rise from rounding alone."""


def fit_logistic(design: Floats, outcomes: Floats, *, prior: Floats, strength: Floats) -> Floats:
    """The weights (k,) of least log loss plus half of `strength` times the squared distance from `prior`.

    `design` (n, k) gives the log-odds as design @ weights; `outcomes` (n,) are 0 and 1; `prior` and `strength` (k,),
    every strength above 0, so that there is exactly one answer. Newton's method, steps halved until they help.
    """
    weights = prior.astype(np.float64)
    cost = _cost(design, outcomes, weights, prior, strength)
    for _ in range(STEPS):
        probability = 1 / (1 + np.exp(-design @ weights))
        gradient = design.T @ (probability - outcomes) + strength * (weights - prior)
        curvature = (design * (probability * (1 - probability))[:, None]).T @ design + np.diag(strength)
        step = np.linalg.solve(curvature, gradient)
        if np.abs(step).max() < TOLERANCE:
            break
        for _ in range(HALVINGS):
            tried = _cost(design, outcomes, weights - step, prior, strength)
            if tried <= cost * (1 + ROUNDING):
                break
            step = step / 2
        weights, cost = weights - step, tried
    return weights


def _cost(design: Floats, outcomes: Floats, weights: Floats, prior: Floats, strength: Floats) -> float:
    log_odds = design @ weights
    return float(np.logaddexp(0.0, np.where(outcomes > 0.5, -log_odds, log_odds)).sum()) + 0.5 * float(
        strength @ (weights - prior) ** 2
    )
