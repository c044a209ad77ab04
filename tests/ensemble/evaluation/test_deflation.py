import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from ensemble.evaluation.deflation import (
    Moments,
    deflated_sharpe,
    expected_maximum,
    independent_trials,
    moments,
    probabilistic_sharpe,
    sharpe_ratios,
)

DAYS_A_YEAR = 250


@pytest.mark.parametrize(
    ("trials", "skewness", "kurtosis", "published"), [(100, -3, 10, 0.9004), (46, -3, 10, 0.9505), (88, 0, 3, 0.9505)]
)
def test_it_gives_the_figures_of_the_papers_example(
    trials: int, skewness: float, kurtosis: float, published: float
) -> None:
    # Bailey and Lopez de Prado (2014), "A numerical example": a yearly ratio of 2.5 over 1,250 days.
    said = Moments(2.5 / np.sqrt(DAYS_A_YEAR), skewness, kurtosis, 1250)
    benchmark = expected_maximum(0.5 / DAYS_A_YEAR, trials)
    assert probabilistic_sharpe(said, benchmark) == pytest.approx(published, abs=5e-5)
    if trials == 100:
        assert benchmark == pytest.approx(0.1132, abs=5e-5)


def test_the_expected_maximum_is_that_of_normal_draws() -> None:
    draws = np.random.default_rng(1).normal(0, 0.3, (20_000, 40)).max(axis=1)
    assert expected_maximum(0.09, 40) == pytest.approx(draws.mean(), rel=0.02)
    assert expected_maximum(0.09, 1) == expected_maximum(0.09, 0) == 0


def test_the_moments_are_those_of_scipy() -> None:
    gains = np.random.default_rng(2).gamma(2.0, 1.0, 500) - 1.5
    said = moments(gains)
    assert said.sharpe == pytest.approx(gains.mean() / gains.std(ddof=1), rel=1e-12)
    assert said.skewness == pytest.approx(stats.skew(gains), rel=1e-12)
    assert said.kurtosis == pytest.approx(stats.kurtosis(gains, fisher=False), rel=1e-12)
    assert said.sessions == pytest.approx(500)


def test_a_gain_that_comes_again_for_ten_sessions_is_worth_one() -> None:
    once = np.random.default_rng(3).normal(0.05, 1, 400)
    said = moments(np.repeat(once, 10), lags=100)  # the nearest weigh most
    assert said.sessions == pytest.approx(400, rel=0.15)
    assert moments(np.repeat(once, 10)).sessions == pytest.approx(4000)


@given(st.integers(2, 200), st.floats(1e-4, 0.1))
def test_more_trials_never_make_a_claim_surer(trials: int, variance: float) -> None:
    gains = np.random.default_rng(4).normal(0.1, 1, 300)
    sharpes = np.array([-1.0, 1.0]) * np.sqrt(variance / 2)
    fewer, more = (deflated_sharpe(gains, sharpes, trials=count) for count in (trials, trials + 1))
    assert more.benchmark > fewer.benchmark > 0
    assert more.probability < fewer.probability
    assert more.sharpe == fewer.sharpe


def test_the_best_of_many_without_skill_is_seen_through() -> None:
    # At the 5 % level the best of fifty looks significant alone nearly always, deflated seldom.
    alone, deflated = 0, 0
    for seed in range(100):
        gains = np.random.default_rng(seed).normal(0, 1, (400, 50))
        sharpes = sharpe_ratios(gains)
        best = gains[:, sharpes.argmax()]
        alone += deflated_sharpe(best, sharpes, trials=1).probability > 0.95
        deflated += deflated_sharpe(best, sharpes, trials=50).probability > 0.95
    assert alone > 80
    assert deflated <= 10


def test_a_constant_trial_has_no_sharpe_ratio_and_a_constant_series_is_refused() -> None:
    assert sharpe_ratios(np.array([[1.0, 1.0], [1.0, 3.0]])).tolist() == [0.0, 2 / np.sqrt(2)]
    with pytest.raises(ValueError, match="at least 3 that differ"):
        moments(np.ones(10))


def test_trials_that_say_the_same_are_worth_one_and_unrelated_ones_all() -> None:
    random = np.random.default_rng(5)
    one, many = random.normal(size=(2000, 1)), random.normal(size=(2000, 10))
    assert independent_trials(one + 0.001 * many, 10) == pytest.approx(1, abs=0.01)
    assert independent_trials(many, 10) == pytest.approx(10, abs=0.3)
    assert independent_trials(one, 7) == 7


def test_where_one_trial_of_many_is_known_the_others_are_taken_to_vary_as_without_skill() -> None:
    gains = np.random.default_rng(6).normal(0.1, 1, 400)
    found = deflated_sharpe(gains, np.array([0.1]), trials=50)
    assert found.benchmark == pytest.approx(expected_maximum(1 / 400, 50))
    assert found.probability < deflated_sharpe(gains, np.array([0.1]), trials=1).probability
