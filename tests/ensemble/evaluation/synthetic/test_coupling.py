"""The strength that was asked for is the strength that the best forecast has."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats
from sklearn.metrics import roc_auc_score

from ensemble.evaluation.synthetic.coupling import (
    DEGREES_OF_FREEDOM,
    expected_auc,
    probability_up,
    solve_coupling,
)


def test_the_chance_of_up_is_students_distribution() -> None:
    scores = np.linspace(-4, 4, 9)
    assert probability_up(scores) == pytest.approx(stats.t.cdf(scores, DEGREES_OF_FREEDOM), abs=1e-12)


@given(arrays(np.float64, st.integers(2, 12), elements=st.sampled_from([0.1, 0.25, 0.5, 0.6, 0.9])))
def test_the_expected_auc_counts_every_pair_of_different_rows(probability: np.ndarray) -> None:
    won = drawn = 0.0
    for i, up in enumerate(probability):
        for j, other in enumerate(probability):
            if i != j:
                drawn += up * (1 - other)
                won += up * (1 - other) * ((up > other) + 0.5 * (up == other))
    assert expected_auc(probability) == pytest.approx(won / drawn, abs=1e-12)


def test_outcomes_drawn_from_the_probabilities_have_the_expected_auc_on_average() -> None:
    random = np.random.default_rng(0)
    probability = probability_up(random.normal(size=2000))
    areas = [roc_auc_score(random.random(2000) < probability, probability) for _ in range(100)]
    assert expected_auc(probability) == pytest.approx(np.mean(areas), abs=4 * np.std(areas) / 10)


@settings(max_examples=25)
@given(auc=st.floats(0.501, 0.9), seed=st.integers(0, 99))
def test_the_coupling_gives_the_auc_that_was_asked_for(auc: float, seed: int) -> None:
    known = np.random.default_rng(seed).normal(size=300)
    assert expected_auc(probability_up(solve_coupling(known, auc) * known)) == pytest.approx(auc, abs=1e-6)


def test_nothing_moves_anything_in_a_null_market() -> None:
    assert solve_coupling(np.array([1.0, -1.0, 2.0]), 0.5) == 0.0


def test_what_no_coupling_reaches_is_refused() -> None:
    known = np.zeros(50)
    known[:2] = 1.0, -1.0
    with pytest.raises(ValueError, match=r"auc was 0\.9; .* Ask for less"):
        solve_coupling(known, 0.9)
