"""A linear stack in log-odds that starts as the members' mean and leaves it only as far as outcomes insist."""

from dataclasses import dataclass

import numpy as np

from ensemble.arrays import Floats
from ensemble.stacking.logistic import fit_logistic
from ensemble.stacking.platt import INTERCEPT_STRENGTH

WEIGHT_STRENGTH = 100.0


@dataclass(frozen=True, slots=True)
class RidgeStack:
    """combined log-odds = intercept + weights @ members' log-odds; without weights the plain mean."""

    weights: tuple[float, ...] = ()
    intercept: float = 0.0

    def __call__(self, members: Floats) -> Floats:
        """From the members' log-odds (n_members, ...): their combination (...)."""
        if not self.weights:
            return np.asarray(members.mean(axis=0))
        return self.intercept + np.tensordot(np.array(self.weights), members, axes=1)


def fit_ridge(members: Floats, outcomes: Floats, *, alike: float = 1.0) -> RidgeStack:
    """From the members' log-odds (n_members, n) and outcomes (n,): weights pulled to equal shares that sum to 1.

    `alike` of the n tell as much as one.
    """
    count = len(members)
    weights = fit_logistic(
        np.column_stack([np.ones(members.shape[1]), *members]),
        outcomes,
        prior=np.concatenate([[0.0], np.full(count, 1 / count)]),
        strength=alike * np.concatenate([[INTERCEPT_STRENGTH], np.full(count, WEIGHT_STRENGTH)]),
    )
    return RidgeStack(tuple(weights[1:].tolist()), float(weights[0]))
