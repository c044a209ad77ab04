"""Probit regression: the chance of an up as the normal distribution of a straight line. Bliss (1934)."""

import numpy as np

from ensemble.arrays import Floats
from ensemble.counted import counted

MAX_STEPS = 50
TOLERANCE = 1e-12


def fit_probit(design: Floats, outcomes: Floats, *, start: Floats | None = None) -> Floats:
    """Coefficients of greatest likelihood, (n_columns,), by Fisher scoring from `start`, by default zero.

    `design` (n, n_columns), `outcomes` (n,) of 0 and 1. Raises ValueError when there is no greatest likelihood: one
    outcome only, or columns that tell the two apart completely.
    """
    from scipy.special import log_ndtr

    sign = np.where(outcomes > 0.5, 1.0, -1.0)
    found = np.zeros(design.shape[1]) if start is None else start
    for _ in range(MAX_STEPS):
        line = design @ found
        density = -0.5 * line**2 - 0.5 * np.log(2 * np.pi)
        score = sign * np.exp(density - log_ndtr(sign * line))
        information = np.exp(2 * density - log_ndtr(line) - log_ndtr(-line))
        step = np.linalg.solve(design.T @ (information[:, None] * design), design.T @ score)
        found = found + step
        if np.abs(step).max() < TOLERANCE * (1 + np.abs(found).max()):
            return np.asarray(found)
    raise ValueError(
        f"the probit of {counted(len(outcomes), 'row')} has no greatest likelihood; give it rows of both outcomes."
    )
