"""One word for what forecasts are worth, and no edge where there is none."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from ensemble.evaluation.scored import Scored
from ensemble.evaluation.verdict import LEVEL, Verdict, after_trials, chance, judge, judge_all


def scored(probability: np.ndarray, outcome: np.ndarray, label: str = "gap") -> Scored:
    probability, outcome = np.atleast_2d(probability).astype(float), np.atleast_2d(outcome).astype(float)
    sessions = pd.bdate_range("2012-01-02", periods=outcome.shape[1])
    return Scored(label, sessions, tuple("ABCDEFGH"[: len(outcome)]), probability, outcome, 1)


def noise(seed: int, count: int = 500, label: str = "gap") -> Scored:
    random = np.random.default_rng(seed)
    return scored(random.uniform(0.3, 0.7, count), random.random(count) < 0.5, label)


def planted(seed: int, strength: float, count: int = 1500, label: str = "gap") -> Scored:
    random = np.random.default_rng(seed)
    probability = 1 / (1 + np.exp(-strength * random.normal(size=count)))
    return scored(probability, random.random(count) < probability, label)


def test_the_model_that_always_says_up_is_degenerate_whatever_its_f1() -> None:
    found = judge(scored(np.full(28, 0.6), np.array([1] * 16 + [0] * 12)))
    assert found.verdict is Verdict.DEGENERATE
    assert found.reason.startswith("it always says up")


def test_the_model_that_always_says_down_is_degenerate() -> None:
    found = judge(scored(np.linspace(0.1, 0.4, 300), np.arange(300) % 2))
    assert (found.verdict, found.reason[:23]) == (Verdict.DEGENERATE, "it always says down; as")


@pytest.mark.parametrize(("downs_called_up", "recall"), [(0.4, "1"), (0.9, "1"), (0.4, "0")])
def test_a_recall_of_one_or_zero_is_degenerate(downs_called_up: float, recall: str) -> None:
    outcome = (np.arange(400) % 2).astype(float)
    called_down = np.random.default_rng(0).random(400) < downs_called_up
    probability = np.where(outcome > 0.5, float(recall) * 0.2 + 0.4, np.where(called_down, 0.4, 0.6))
    found = judge(scored(probability, outcome))
    assert (found.verdict, found.reason.split(";")[0]) == (Verdict.DEGENERATE, f"its recall is {recall}")


def test_a_precision_like_the_base_rate_is_degenerate() -> None:
    outcome = np.tile([1.0, 1.0, 0.0, 0.0], 200)
    probability = np.tile([0.6, 0.4, 0.6, 0.4], 200)
    found = judge(scored(probability, outcome))
    assert found.verdict is Verdict.DEGENERATE
    assert "up is up in 50.0 % of cases, and any case is in 50.0 %" in found.reason


def test_a_precision_that_differs_by_more_than_half_a_standard_error_is_not() -> None:
    """Called up 400 times, a standard error of 2.5 points: 201 + 12 ups are far enough, 201 + 1 are not."""
    probability = np.repeat([0.6, 0.4], 400)
    verdicts = {}
    for more in (1, 24):
        ups = np.concatenate([np.arange(400) < 200 + more, np.arange(400) < 200 - more])
        verdicts[more] = judge(scored(probability, ups)).verdict is Verdict.DEGENERATE
    assert verdicts == {1: True, 24: False}


def test_a_handful_is_too_few_for_any_claim() -> None:
    random = np.random.default_rng(3)
    outcome = (random.random(60) < 0.5).astype(float)
    found = judge(scored(0.5 + 0.3 * (outcome - 0.5) + random.normal(0, 0.25, 60), outcome))
    assert found.verdict is Verdict.TOO_FEW
    assert "wide can't bear a claim of" in found.reason


def test_a_real_edge_is_an_edge_with_its_size() -> None:
    found = judge(planted(0, 0.6))
    assert found.verdict is Verdict.EDGE
    assert found.edge == pytest.approx(found.auc.value - 0.5)
    assert f"{found.edge:.3f} above a coin, p < .001" in found.reason


def test_noise_is_called_an_edge_in_no_more_than_one_case_in_twenty() -> None:
    verdicts = [judge(noise(seed)).verdict for seed in range(200)]
    claimed = verdicts.count(Verdict.EDGE) / len(verdicts)
    assert claimed <= LEVEL + 2 * np.sqrt(LEVEL * (1 - LEVEL) / len(verdicts))
    assert Verdict.NO_EDGE in verdicts


def test_an_edge_that_the_best_of_many_gets_by_luck_is_none() -> None:
    found = planted(1, 0.16, count=2500)
    alone, of_many = judge(found), judge(found, trials=1000)
    assert (alone.verdict, of_many.verdict) == (Verdict.EDGE, Verdict.NO_EDGE)
    assert alone.p_value == of_many.p_value < of_many.adjusted_p_value


def test_p_values_count_the_labels_looked_at_and_then_the_trials() -> None:
    labels = {"gap": planted(2, 0.15), "close_to_close": planted(5, 0.15), "open_to_close": noise(4, 1500)}
    labels = {name: scored(one.probability, one.outcome, name) for name, one in labels.items()}
    found = judge_all(labels, trials=7)
    holm = multipletests([one.p_value for one in found.values()], method="holm")[1]
    expected = 1 - (1 - holm) ** 7
    np.testing.assert_allclose([one.adjusted_p_value for one in found.values()], expected, rtol=1e-9)
    assert {(one.labels, one.trials) for one in found.values()} == {(3, 7)}


@given(st.floats(0, 1), st.integers(1, 10_000), st.integers(1, 10_000))
def test_more_trials_never_make_an_edge_surer(p_value: float, some: int, more: int) -> None:
    assert 0 <= p_value <= after_trials(p_value, some) + 1e-15
    assert after_trials(p_value, some) <= after_trials(p_value, some + more) <= 1


def test_tiny_p_values_keep_their_digits() -> None:
    assert after_trials(1e-20, 50) == pytest.approx(5e-19)
    assert [after_trials(0.02, 0), after_trials(1.0, 3)] == pytest.approx([0.02, 1.0])


@pytest.mark.parametrize("judging", [judge, lambda one: judge_all({"gap": one})])
def test_forecasts_of_which_nothing_came_yet_can_not_be_judged(judging: Callable[[Scored], object]) -> None:
    with pytest.raises(ValueError, match="no outcome of gap is known"):
        judging(scored(np.full(9, 0.6), np.full(9, np.nan)))


def test_a_chance_is_written_without_false_precision() -> None:
    assert [chance(value) for value in (0.0, 0.0004, 0.0312, 0.5, 1.0)] == [
        "p < .001",
        "p < .001",
        "p = .031",
        "p = .500",
        "p = 1.000",
    ]
