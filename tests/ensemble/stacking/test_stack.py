"""The trees add to the ridge stack, never fall where a member rises, and are the same every time."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from ensemble.labels import LABELS
from ensemble.stacking.history import History, MemberOdds
from ensemble.stacking.lesson import Lesson
from ensemble.stacking.stack import added_by_stack, grow_stack
from ensemble.trees import Trees

GAP = LABELS.index("gap")
MakeHistory = Callable[..., History]


def grown(past: History, *, alike: float = 1.0, known: int = 10_000) -> str:
    outcomes = past.labels[..., GAP].astype(np.float64)
    outcomes[:, known:] = np.nan
    return grow_stack(Lesson(past.odds, GAP, outcomes, lags=0), np.zeros_like(outcomes), alike=alike, seed=1)


@pytest.mark.parametrize("truth", [1.0, -1.0])
def test_it_rises_with_every_member_even_where_outcomes_run_against_them(
    make_history: MakeHistory, truth: float
) -> None:
    past = make_history(truth=truth, says=0.7)
    text = grown(past)
    for member in range(2):
        # The spread between the members is a column of its own and may pull either way: it is held still.
        before = past.odds.table(GAP)[:, :2]
        lifted = before + 0.5 * (np.arange(2) == member)
        gain = _added_with(text, past.odds, lifted) - _added_with(text, past.odds, before)
        assert gain.min() >= 0
        assert (gain.max() > 0) == (truth > 0)


def _added_with(text: str, odds: MemberOdds, members: np.ndarray) -> np.ndarray:
    """What is added when the members' columns are these and all others stay."""
    return Trees(text).added(np.column_stack([members, odds.table(GAP)[:, 2:]]))


def test_it_finds_a_condition_under_which_outcomes_differ(make_history: MakeHistory) -> None:
    past = make_history(truth=0.0)
    fearful = past.odds.conditions[..., 1] > 0
    past.labels[..., GAP] = fearful
    added = added_by_stack(grown(past), past.odds, GAP)
    assert added.shape == fearful.shape
    assert added[fearful].min() > 0 > added[~fearful].max()


def test_rows_with_unknown_outcomes_do_not_count(make_history: MakeHistory) -> None:
    past = make_history()
    first = grown(past, known=200)
    past.odds.log_odds[:, :, 200:] = 99.0
    assert grown(past, known=200) == first


def test_rows_that_repeat_each_other_teach_less(make_history: MakeHistory) -> None:
    past = make_history(truth=1.0, says=0.5)
    little, much = (np.abs(added_by_stack(grown(past, alike=alike), past.odds, GAP)).max() for alike in (10.0, 1.0))
    assert 0 < little < much / 2


def test_unknown_conditions_are_no_obstacle(make_history: MakeHistory) -> None:
    past = make_history()
    past.odds.conditions[:, ::2] = np.nan
    text = grown(past)
    assert np.isfinite(added_by_stack(text, past.odds, GAP)).all()
    assert_array_equal(added_by_stack(text, past.odds, GAP), added_by_stack(grown(past), past.odds, GAP))
