"""What each feature had to do with a member's log-odds: shares that add up, whatever the member."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from ensemble.evaluation.attribution.contributions import (
    How,
    Place,
    member_contributions,
    network_input,
)
from ensemble.evaluation.attribution.path_gradients import input_slopes
from ensemble.labels import LABELS
from ensemble.members.boosted import Boosted, fit_boosted
from ensemble.members.fitted import Files, FittedMember
from ensemble.members.logit import fit_logit
from ensemble.members.lstm import Lstm
from ensemble.members.panel_training import fit_panel
from ensemble.members.specs import LogitSpec, LstmSpec, TreesSpec
from ensemble.panel import Panel
from ensemble.windows import Window

N_FEATURES, ROWS = 6, 300
NETWORK = LstmSpec(
    name="small", units=(4, 3), sequence_steps=8, warmup_steps=3, learned_steps=20, epochs=2, skip_penalty=1.0
)


def make_panel() -> Panel:
    """Two symbols; the labels follow the first feature, and some values are unknown."""
    random = np.random.default_rng(0)
    values = random.normal(size=(2, ROWS, N_FEATURES)).astype(np.float32)
    labels = (random.random((2, ROWS, len(LABELS))) < 1 / (1 + np.exp(-2 * values[:, :, :1]))).astype(np.float32)
    values[random.random(values.shape) < 0.05] = np.nan
    sessions = pd.date_range("2015-01-01", periods=ROWS, freq="B")
    names = tuple(f"feature_{number}" for number in range(N_FEATURES))
    return Panel(("AAA", "BBB"), sessions, names, values, labels, np.ones((2, ROWS), dtype=np.int64))


PANEL = make_panel()
WINDOW = Window(PANEL.values[:, :250], PANEL.labels[:, :250], embargo_rows=3)
MAKERS: dict[str, Callable[[int], FittedMember]] = {
    "logit": lambda seed: fit_logit(LogitSpec(penalty=10.0), WINDOW),
    "lightgbm": lambda seed: fit_boosted(TreesSpec(rounds=20, leaves=6, min_leaf_rows=20), WINDOW, seed=seed),
    "network": lambda seed: fit_panel(NETWORK, WINDOW, seed=seed),
}
MEMBERS = {name: [make(seed) for seed in (1, 2)] for name, make in MAKERS.items()}
FEW = settings(max_examples=15)
places = st.builds(Place, st.integers(0, 1), st.integers(0, ROWS - 1), st.integers(0, len(LABELS) - 1))


@pytest.mark.parametrize("name", MEMBERS)
@FEW
@given(place=places)
def test_what_is_taken_apart_is_what_the_member_says(name: str, place: Place) -> None:
    rows = slice(place.row, place.row + 1)
    said = np.mean([one.log_odds(PANEL, rows)[place.symbol, 0, place.label] for one in MEMBERS[name]])
    assert_allclose(member_contributions(MEMBERS[name], PANEL, place).log_odds, said, atol=1e-9)


@pytest.mark.parametrize("name", ["logit", "lightgbm"])
@FEW
@given(place=places)
def test_base_and_shares_add_up_to_the_log_odds(name: str, place: Place) -> None:
    parts = member_contributions(MEMBERS[name], PANEL, place)
    assert_allclose(parts.base + parts.by_feature.sum(), parts.log_odds, atol=1e-9)
    assert abs(parts.unexplained) < 1e-9
    assert len(parts.by_step) == 0


@FEW
@given(place=places)
def test_a_network_s_shares_by_feature_and_by_session_add_up_to_what_it_says_beyond_its_base(place: Place) -> None:
    parts = member_contributions(MEMBERS["network"], PANEL, place)
    assert parts.how is How.GRADIENTS
    assert_allclose(parts.base + parts.by_feature.sum(), parts.log_odds, atol=1e-5)
    assert_allclose(parts.by_step.sum(), parts.by_feature.sum(), atol=1e-12)


@FEW
@given(place=places, feature=st.integers(0, N_FEATURES - 1))
def test_what_has_its_training_mean_in_every_session_has_nothing_to_do_with_it(place: Place, feature: int) -> None:
    values = PANEL.values.copy()
    values[:, :, feature] = np.nan  # unknown counts as the mean
    for members in (MEMBERS["logit"], MEMBERS["network"]):
        parts = member_contributions(members, replace(PANEL, values=values), place)
        assert parts.by_feature[feature] == 0


@FEW
@given(place=places)
def test_the_slopes_by_inputs_are_those_that_small_steps_find(place: Place) -> None:
    network = MEMBERS["network"][0]
    assert isinstance(network, Lstm)
    sequence = network_input(network, PANEL, place)
    found = input_slopes(network, sequence[None], place.label)[0]
    step = 1e-5
    moved = step * np.eye(sequence.size).reshape(-1, *sequence.shape)
    above, below = (network.forward(sequence + side * moved)[:, place.label] for side in (1, -1))
    assert_allclose(found.ravel(), (above - below) / (2 * step), atol=1e-8)


def test_sessions_from_before_the_panel_began_have_nothing_to_do_with_it() -> None:
    parts = member_contributions(MEMBERS["network"], PANEL, Place(0, 2, 0))
    assert len(parts.by_step) == NETWORK.steps_seen
    assert not parts.by_step[:-3].any()
    assert parts.by_step[-1]


def test_the_planted_feature_is_the_one_that_counts() -> None:
    where = [Place(1, row, 0) for row in range(280, 290)]
    for members in MEMBERS.values():
        sizes = [np.abs(member_contributions(members, PANEL, place).by_feature) for place in where]
        assert np.mean(sizes, axis=0).argmax() == 0


def test_trees_that_never_grew_leave_their_start() -> None:
    parts = member_contributions([Boosted(("",) * len(LABELS), np.full(len(LABELS), 0.3))], PANEL, Place(0, 9, 1))
    assert (parts.base, parts.log_odds) == (0.3, 0.3)
    assert not parts.by_feature.any()


def test_a_kind_that_nobody_can_take_apart_is_named() -> None:
    class Oracle:
        def log_odds(self, panel: Panel, rows: slice) -> np.ndarray:
            raise NotImplementedError

        def files(self) -> Files:
            raise NotImplementedError

    with pytest.raises(TypeError, match="the member is a Oracle"):
        member_contributions([Oracle()], PANEL, Place(0, 0, 0))
