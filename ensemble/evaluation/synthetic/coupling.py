"""How strongly what is known moves what follows, so that the best possible forecast has the AUC that was asked for."""

import numpy as np

from ensemble.arrays import Floats

DEGREES_OF_FREEDOM = 5.0
"""Of the surprises' Student t: fat tails, as Bollerslev (1987) and others find in daily returns."""
STRONGEST = 1e3
"""Beyond this only the sessions without news stay open."""
NULL = 0.5
"""The AUC of a market in which nothing can be known."""


def probability_up(score: Floats) -> Floats:
    """P(score + surprise > 0), same shape: the distribution of Student's t at `score`."""
    from scipy.special import stdtr

    return np.asarray(stdtr(DEGREES_OF_FREEDOM, score))


def expected_auc(probability: Floats) -> float:
    """The AUC that forecasts (n,) have on average when each is true: the best that anybody can have on these rows.

    Every pair of rows counts by the chance that the first comes up and the second does not, ties by one half
    (Bamber 1975); a row makes no pair with itself.
    """
    values, place = np.unique(probability, return_inverse=True)
    ups, downs = (np.bincount(place, side, len(values)) for side in (probability, 1 - probability))
    below = np.cumsum(downs) - downs
    itself = float(probability @ (1 - probability))
    won = float(ups @ (below + downs / 2)) - itself / 2
    return won / (float(ups.sum() * downs.sum()) - itself)


def solve_coupling(known: Floats, auc: float) -> float:
    """The factor of `known` (n,) with which `probability_up` has the expected AUC `auc`; 0 for 0.5.

    Raises ValueError when no factor is strong enough.
    """
    from scipy.optimize import brentq

    if auc == NULL:
        return 0.0

    def missing(factor: float) -> float:
        return expected_auc(probability_up(factor * known)) - auc

    if missing(STRONGEST) < 0:
        raise ValueError(f"auc was {auc}; on these sessions no forecast reaches it. Ask for less, or for more years.")
    return float(brentq(missing, 0.0, STRONGEST, xtol=1e-9))
