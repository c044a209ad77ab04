"""The test of one forecast against another equals the textbook's, and does not cry wolf."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy import stats
from sklearn.metrics import log_loss

from ensemble.stacking.comparison import Comparison, adjusted, compare, log_losses


def test_without_overlap_it_is_the_paired_t_test_over_sessions() -> None:
    random = np.random.default_rng(0)
    left, right = random.gamma(2, size=(2, 5, 80))
    expected = stats.ttest_rel(right.mean(axis=0), left.mean(axis=0), alternative="greater")
    verdict = compare(left, right, horizon=1)
    assert_allclose(verdict.p_value, expected.pvalue, rtol=1e-9)
    assert_allclose([verdict.loss, verdict.incumbent_loss], [left.mean(), right.mean()])


@pytest.mark.parametrize("horizon", [1, 10])
def test_without_a_difference_it_is_claimed_in_about_one_case_in_twenty(horizon: int) -> None:
    random = np.random.default_rng(1)
    claims = 0
    for _ in range(400):
        shocks = random.normal(size=(2, 250 + horizon))
        shared = np.stack([np.convolve(row, np.ones(horizon), "valid")[:250] for row in shocks])
        noise = random.normal(0, 0.3, size=(2, 4, 250))
        claims += compare(shared[0] + noise[0], shared[1] + noise[1], horizon=horizon).p_value < 0.05
    assert 0.02 <= claims / 400 <= 0.10


def test_unknown_outcomes_do_not_count() -> None:
    left, right = np.full((2, 2, 30), np.nan)
    left[:, :20], right[:, :20] = 1.0, np.linspace(1, 2, 20)
    assert compare(left, right, horizon=1).sessions == 20


@pytest.mark.parametrize("known", [0, 1])
def test_too_few_sessions_decide_nothing(known: int) -> None:
    losses = np.full((2, 30), np.nan)
    losses[:, :known] = 1.0
    assert compare(losses, losses + 1, horizon=1).p_value == 1.0


@pytest.mark.parametrize("horizon", [30, 31, 60])
def test_fewer_sessions_than_labels_overlap_decide_nothing(horizon: int) -> None:
    losses = np.random.default_rng(0).gamma(2, size=(2, 30))
    assert compare(losses, losses + np.linspace(0.1, 0.2, 30), horizon=horizon).p_value == 1.0
    assert compare(losses, losses + np.linspace(0.1, 0.2, 30), horizon=1).p_value < 0.001


def test_log_losses_are_minus_the_log_of_what_was_given_to_what_happened() -> None:
    odds = np.log(np.array([0.8, 0.8, 0.8]) / 0.2)
    losses = log_losses(odds, np.array([1.0, 0.0, np.nan]))
    assert_allclose(losses, [-np.log(0.8), -np.log(0.2), np.nan])


def test_log_losses_average_to_scikit_learn_s() -> None:
    random = np.random.default_rng(3)
    odds, outcomes = random.normal(size=500), random.integers(0, 2, 500).astype(np.float64)
    assert_allclose(log_losses(odds, outcomes).mean(), log_loss(outcomes, 1 / (1 + np.exp(-odds))))


@pytest.mark.parametrize("horizon", [1, 2, 10])
def test_with_overlap_it_is_the_published_statistic_written_out(horizon: int) -> None:
    random = np.random.default_rng(horizon)
    left, right = random.gamma(2, size=(2, 3, 120))
    gain = (right - left).mean(axis=0)
    n, centred = len(gain), gain - gain.mean()
    variance = sum(
        (1 - abs(lag) / horizon) * sum(centred[t] * centred[t - abs(lag)] for t in range(abs(lag), n)) / n
        for lag in range(-horizon + 1, horizon)
    )
    diebold_mariano = gain.mean() / np.sqrt(variance / n)
    harvey = np.sqrt((n + 1 - 2 * horizon + horizon * (horizon - 1) / n) / n)  # Harvey et al. (1997), eq. 9
    expected = stats.t.sf(harvey * diebold_mariano, n - 1)
    assert_allclose(compare(left, right, horizon=horizon).p_value, expected, rtol=1e-9)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=5))
def test_holm_s_p_values_are_those_of_the_closed_bonferroni_test(p_values: list[float]) -> None:
    names = [str(place) for place in range(len(p_values))]
    found = adjusted({name: Comparison(9, 0.1, 0.2, p) for name, p in zip(names, p_values, strict=True)})
    assert list(found) == names
    for place, name in enumerate(names):
        others = [
            chosen
            for size in range(len(p_values))
            for chosen in combinations(set(range(len(p_values))) - {place}, size)
        ]
        closed = max(min((1 + len(rest)) * min(p_values[one] for one in (place, *rest)), 1.0) for rest in others)
        assert found[name].adjusted_p_value == pytest.approx(closed)
        assert found[name].p_value == p_values[place]
