"""The test of one forecast against another equals the textbook's, and does not cry wolf."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from ensemble.stacking.comparison import compare, log_losses
from ensemble.stacking.platt import Line, fit_line


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


def test_log_losses_are_minus_the_log_of_what_was_given_to_what_happened() -> None:
    odds = np.log(np.array([0.8, 0.8, 0.8]) / 0.2)
    losses = log_losses(odds, np.array([1.0, 0.0, np.nan]))
    assert_allclose(losses, [-np.log(0.8), -np.log(0.2), np.nan])


def test_a_calibration_line_finds_the_slope_and_intercept_that_made_the_outcomes() -> None:
    random = np.random.default_rng(2)
    odds = random.normal(size=20_000)
    outcomes = (random.random(20_000) < 1 / (1 + np.exp(-(0.4 * odds + 0.3)))).astype(np.float64)
    line = fit_line(odds, outcomes)
    assert_allclose([line.slope, line.intercept], [0.4, 0.3], atol=0.05)


def test_a_short_history_leaves_the_forecasts_as_they_are() -> None:
    assert fit_line(np.ones(49), np.ones(49)) == Line(1.0, 0.0)
