"""Forecasts are grouped by how many members were on the other side."""

import numpy as np

from ensemble.evaluation.agreement import agreement
from tests.ensemble.evaluation.conftest import MakeScored


def test_dissenters_are_counted_and_a_silent_member_is_none(make_scored: MakeScored) -> None:
    scored = make_scored(0.4, sessions=80)
    other = 1 - scored.probability
    sometimes = np.where(np.arange(80) % 4 == 0, other, scored.probability)
    silent = np.full(other.shape, np.nan)
    groups = agreement(scored, {"contrary": other, "fickle": sometimes, "silent": silent})
    assert [(one.dissenters, one.forecasts) for one in groups] == [(1, 60), (2, 20)]


def test_each_group_is_right_as_often_as_its_forecasts(make_scored: MakeScored) -> None:
    scored = make_scored(0.4, sessions=80)
    apart = np.arange(80) % 5 == 0
    united, divided = agreement(scored, {"one": np.where(apart, 1 - scored.probability, scored.probability)})
    right = ((scored.probability > 0.5) == (scored.outcome > 0.5))[0]
    assert united.right.value == right[~apart].mean()
    assert divided.right.value == right[apart].mean()
    ups = scored.outcome[0][apart].mean()
    assert divided.commoner_side == max(ups, 1 - ups)
