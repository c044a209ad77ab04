"""The LightGBM stack: what trees add to the ridge stack, seeing the members, their spread and the conditions."""

from functools import lru_cache

import numpy as np

from ensemble.arrays import Floats
from ensemble.stacking.history import MemberOdds
from ensemble.trees import Table, Trees, grow

MIN_LEAF_ROWS = 100
PARAMETERS = {"learning_rate": 0.05, "num_leaves": 4, "min_data_in_leaf": MIN_LEAF_ROWS, "lambda_l2": 10.0}
ROUNDS = 15


def grow_stack(odds: MemberOdds, label: int, outcomes: Floats, start: Floats, *, seed: int) -> str:
    """LightGBM text of what to add to `start`; `outcomes` and `start` (n_symbols * n_rows,), NaN outcomes do not count.

    It never falls where a member's log-odds rise.
    """
    known = np.isfinite(outcomes)
    features = odds.table(label)
    rises = [1] * len(odds.members) + [0] * (features.shape[1] - len(odds.members))
    table = Table(features[known], outcomes[known], start[known])
    return grow(table, PARAMETERS | {"monotone_constraints": rises}, rounds=ROUNDS, seed=seed)


def added_by_stack(text: str, odds: MemberOdds, label: int) -> Floats:
    """What the grown trees add to the ridge stack's log-odds, (n_symbols, n_rows)."""
    return _read(text).added(odds.table(label)).reshape(odds.log_odds.shape[1:3])


@lru_cache(maxsize=64)
def _read(text: str) -> Trees:
    return Trees(text)
