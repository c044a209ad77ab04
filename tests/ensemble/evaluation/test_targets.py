"""A target is met when the score is above it and no constant is."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, f1_score

from ensemble.evaluation.scored import Scored
from ensemble.evaluation.targets import TARGETS, Reached, check_targets


def scored(probability: np.ndarray, outcome: np.ndarray) -> Scored:
    sessions = pd.bdate_range("2012-01-02", periods=len(outcome))
    return Scored("gap", sessions, ("A",), probability[None].astype(float), outcome[None].astype(float), 1)


def planted(seed: int, strength: float, bias: float = 0.0, count: int = 2000) -> Scored:
    random = np.random.default_rng(seed)
    probability = 1 / (1 + np.exp(-bias - strength * random.normal(size=count)))
    return scored(probability, random.random(count) < probability)


def reached(found: Scored) -> dict[str, tuple[str, str]]:
    return {one.target.score: (one.asked.value, one.stretch.value) for one in check_targets(found)}


def test_the_targets_are_those_that_were_asked_for() -> None:
    assert [(one.score, one.asked, one.stretch) for one in TARGETS] == [
        ("accuracy", 0.60, 0.65),
        ("F1", 0.75, 0.80),
        ("AUC", 0.65, 0.70),
    ]


def test_a_strong_model_meets_them_and_a_weak_one_does_not() -> None:
    assert reached(planted(0, 3.0)) == dict.fromkeys(("accuracy", "F1", "AUC"), ("met", "met"))
    assert reached(planted(0, 0.3)) == dict.fromkeys(("accuracy", "F1", "AUC"), ("not met", "not met"))


def test_what_always_saying_up_reaches_is_met_by_a_constant_too() -> None:
    outcome = (np.arange(1000) % 100 < 63).astype(float)
    found = reached(scored(np.full(1000, 0.6), outcome))
    assert found == {
        "accuracy": ("met by a constant too", "not met"),
        "F1": ("met by a constant too", "not met"),
        "AUC": ("not met", "not met"),
    }


def test_a_score_that_a_constant_might_reach_by_luck_can_not_be_told() -> None:
    """Seven of ten right, where always saying down would be right five times."""
    outcome = np.array([1, 1, 1, 1, 1, 0, 0, 0, 0, 0.0])
    probability = np.array([0.6, 0.6, 0.6, 0.6, 0.4, 0.4, 0.4, 0.4, 0.6, 0.6])
    accuracy = check_targets(scored(probability, outcome))[0]
    assert (accuracy.estimate.value, accuracy.constant) == (0.7, 0.5)
    assert (accuracy.asked, accuracy.stretch) == (Reached.UNKNOWN, Reached.UNKNOWN)


def test_a_score_at_its_target_is_not_above_it() -> None:
    outcome = np.tile([1.0, 0.0], 500)
    wrong = np.arange(1000) % 5 < 2
    accuracy = check_targets(scored(np.where(wrong, 1 - outcome, outcome) * 0.2 + 0.4, outcome))[0]
    assert (accuracy.estimate.value, accuracy.asked) == (0.6, Reached.NOT_MET)


@pytest.mark.parametrize("seed", range(5))
def test_accuracy_and_f1_are_scikit_learns(seed: int) -> None:
    one = planted(seed, 1.0, bias=0.3, count=400)
    said, came = one.flat()
    accuracy, f1, _ = check_targets(one)
    assert accuracy.estimate.value == pytest.approx(accuracy_score(came, said > 0.5), abs=1e-12)
    assert f1.estimate.value == pytest.approx(f1_score(came, said > 0.5), abs=1e-12)
    assert f1.constant == pytest.approx(f1_score(came, np.ones_like(came)), abs=1e-12)
    assert accuracy.constant == pytest.approx(max(came.mean(), 1 - came.mean()), abs=1e-12)
    for estimate in (accuracy.estimate, f1.estimate):
        assert estimate.low < estimate.value < estimate.high


def test_without_forecasts_nothing_can_be_told() -> None:
    found = check_targets(scored(np.full(5, np.nan), np.ones(5)))
    assert {one.asked for one in found} == {Reached.UNKNOWN}
