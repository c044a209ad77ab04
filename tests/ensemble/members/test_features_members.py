"""The members beside the networks: a ridge-logit and a LightGBM on the newest features."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from ensemble.members.boosted import fit_boosted
from ensemble.members.fitted import FittedMember
from ensemble.members.logit import fit_logit
from ensemble.members.specs import LogitSpec, LstmSpec, TreesSpec
from ensemble.members.tasks import TrainingTask, fit_member, load_member, task_key
from ensemble.panel import Panel
from ensemble.windows import Window

MakePanel = Callable[..., Panel]
TREES = TreesSpec(rounds=60, learning_rate=0.1, min_leaf_rows=20, feature_share=1.0)


def fit(name: str, window: Window) -> FittedMember:
    if name == "logit":
        return fit_logit(LogitSpec(penalty=10.0), window)
    return fit_boosted(TREES, window, seed=1)


def window_of(panel: Panel, rows: slice = slice(0, 700)) -> Window:
    return Window(panel.values[:, rows], panel.labels[:, rows], embargo_rows=3)


@pytest.mark.parametrize("name", ["logit", "lightgbm"])
def test_a_planted_signal_is_found_out_of_sample(name: str, make_panel: MakePanel) -> None:
    panel = make_panel(rows=900)
    said = fit(name, window_of(panel)).log_odds(panel, slice(700, 900)) > 0
    assert np.mean(said == (panel.labels[:, 700:900] > 0.5)) > 0.75  # the labels' own noise allows .81


@pytest.mark.parametrize("name", ["logit", "lightgbm"])
def test_a_label_with_one_outcome_only_gets_a_finite_forecast(name: str, make_panel: MakePanel) -> None:
    panel = make_panel(rows=900)
    window = window_of(panel)
    window.labels[:, :, 2] = 1.0
    odds = fit(name, window).log_odds(panel, slice(700, 720))[..., 2]
    assert np.isfinite(odds).all()
    assert (odds > 3).all()


@pytest.mark.parametrize("name", ["logit", "lightgbm"])
def test_unknown_features_and_labels_do_no_harm(name: str, make_panel: MakePanel) -> None:
    panel = make_panel(rows=900)
    panel.values[:, :, 3] = np.nan
    panel.values[0, 100:300] = np.nan
    panel.labels[1, 200:400] = np.nan
    odds = fit(name, window_of(panel)).log_odds(panel, slice(700, 900))
    assert np.isfinite(odds).all()


def test_a_stronger_penalty_shrinks_the_logit_towards_the_base_rate(make_panel: MakePanel) -> None:
    panel = make_panel(rows=900, ups=0.7)
    weak, strong = (fit_logit(LogitSpec(penalty=penalty), window_of(panel)) for penalty in (1.0, 1e7))
    assert np.abs(strong.weights).max() < 0.01 < np.abs(weak.weights).max()
    base = np.log(window_of(panel).labels.mean() / (1 - window_of(panel).labels.mean()))
    assert_allclose(strong.intercepts.mean(), base, atol=0.05)


@pytest.mark.parametrize("spec", [LogitSpec(), TREES])
def test_a_task_gives_the_same_files_each_time_and_they_read_back(
    spec: LogitSpec | TreesSpec, make_panel: MakePanel
) -> None:
    panel = make_panel(rows=900)
    window = window_of(panel)
    key = task_key(spec, 0, window_digest="w", code_version="1")
    first, again = (fit_member(TrainingTask(spec, window, key)) for _ in range(2))
    assert first == again
    restored = load_member(first)
    assert_array_equal(restored.log_odds(panel, slice(0, 5)), load_member(again).log_odds(panel, slice(0, 5)))


def test_keys_follow_everything_but_the_name() -> None:
    def key(spec: LogitSpec, seed_number: int = 0, window: str = "1", version: str = "1") -> str:
        return task_key(spec, seed_number, window_digest=window, code_version=version)

    plain = key(LogitSpec())
    assert key(LogitSpec(name="renamed")) == plain
    others = {
        key(LogitSpec(penalty=7)),
        key(LogitSpec(), 1),
        key(LogitSpec(), window="2"),
        key(LogitSpec(), version="2"),
    }
    assert len(others | {plain}) == 5


def test_keys_do_not_follow_what_the_other_way_of_training_reads() -> None:
    def key(**changed: Any) -> str:
        spec = LstmSpec.model_validate({"name": "net", "units": (4,)} | changed)
        return task_key(spec, 0, window_digest="w", code_version="1")

    assert key(batch_size=4) == key() != key(epochs=3)
    published = key(training="published")
    assert key(training="published", epochs=3) == published != key(training="published", batch_size=4)


def test_files_of_no_known_kind_are_refused() -> None:
    with pytest.raises(ValueError, match="kind is 'pickle'"):
        load_member({"member.json": b'{"kind": "pickle"}'})
