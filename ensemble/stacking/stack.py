"""The LightGBM stack: what trees add to the ridge stack, seeing the members, their spread and the conditions."""

from functools import lru_cache

from ensemble.arrays import Floats
from ensemble.stacking.history import MemberOdds
from ensemble.stacking.lesson import Lesson
from ensemble.trees import Table, Trees, grow

PARAMETERS = {"learning_rate": 0.05, "num_leaves": 4}
ROUNDS = 10
MIN_LEAF_ROWS = 50.0
LEAF_STRENGTH = 100.0
"""Ridge of each leaf towards adding nothing."""


def grow_stack(lesson: Lesson, start: Floats, *, alike: float, seed: int) -> str:
    """LightGBM text of what to add to `start` (n_symbols, n_rows); it never falls where a member's log-odds rise.

    `alike` of the lesson's rows tell as much as one.
    """
    known = lesson.known().ravel()
    features = lesson.odds.table(lesson.label)
    n_members = len(lesson.odds.members)
    parameters = PARAMETERS | {
        "monotone_constraints": [1] * n_members + [0] * (features.shape[1] - n_members),
        "min_data_in_leaf": int(min(MIN_LEAF_ROWS * alike, known.sum() / 4)),
        "lambda_l2": LEAF_STRENGTH * alike,
    }
    table = Table(features[known], lesson.outcomes.ravel()[known], start.ravel()[known])
    return grow(table, parameters, rounds=ROUNDS, seed=seed)


def added_by_stack(text: str, odds: MemberOdds, label: int) -> Floats:
    """What the grown trees add to the ridge stack's log-odds, (n_symbols, n_rows)."""
    return _read(text).added(odds.table(label)).reshape(odds.log_odds.shape[1:3])


@lru_cache(maxsize=64)
def _read(text: str) -> Trees:
    return Trees(text)
