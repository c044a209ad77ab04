"""Resamples are whole sessions in blocks; the test for the best of many holds its level and equals arch's."""

import numpy as np
import pytest
from arch.bootstrap import SPA, StationaryBootstrap, optimal_block_length

from ensemble.evaluation.resampling import block_length, counted, session_draws, session_weights, superior_ability
from ensemble.long_run import long_run_variance


def test_weights_count_the_draws_of_arch_s_stationary_bootstrap() -> None:
    series = np.random.default_rng(0).normal(size=120)
    weights = session_weights(120, block=7, draws=50, seed=3)
    theirs = StationaryBootstrap(7, series, seed=3).apply(np.mean, 50)[:, 0]
    np.testing.assert_allclose(weights @ series / 120, theirs, rtol=1e-9, atol=1e-12)
    assert (weights.sum(axis=1) == 120).all()


def test_draws_keep_their_order_in_blocks_and_the_weights_count_them() -> None:
    drawn = session_draws(60, block=6, draws=200, seed=4)
    assert counted(drawn).tolist() == session_weights(60, block=6, draws=200, seed=4).tolist()
    follows = (drawn[:, 1:] - drawn[:, :-1]) % 60 == 1
    assert follows.mean() == pytest.approx(1 - 1 / 6 + 1 / 6 / 60, abs=0.01)


def test_equal_seeds_draw_equal_sessions_and_others_do_not() -> None:
    first, again, other = (session_weights(50, block=5, draws=20, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_blocks_are_as_long_as_the_memory_of_the_series_and_longer_than_labels_overlap() -> None:
    random = np.random.default_rng(0)
    shocks, memory = random.normal(size=2000), np.zeros(2000)
    for place in range(1, 2000):
        memory[place] = 0.9 * memory[place - 1] + shocks[place]
    assert block_length(shocks, horizon=1) < 5
    assert block_length(shocks, horizon=10) == 19
    assert block_length(memory, horizon=1) == int(np.ceil(optimal_block_length(memory)["stationary"].iloc[0])) > 20


@pytest.mark.parametrize("series", [np.ones(100), np.arange(5.0), np.zeros(0)])
def test_a_series_that_never_varies_or_is_short_has_blocks_of_the_overlap(series: np.ndarray) -> None:
    assert block_length(series, horizon=1) == 1
    assert block_length(series, horizon=3) == 5


def test_superior_ability_is_arch_s_spa_on_gains_in_their_own_standard_errors() -> None:
    random = np.random.default_rng(0)
    gains = random.normal(0.05, [1.0, 10.0, 0.1], size=(300, 3))
    spread = np.sqrt([long_run_variance(column, lags=4) for column in gains.T])
    theirs = SPA(np.zeros(300), -gains / spread, block_size=5, reps=400, seed=7)
    theirs.compute()
    found = superior_ability(gains, block=5, draws=400, seed=7)
    expected = (400 * theirs.pvalues.to_numpy() + 1) / 401
    np.testing.assert_allclose([found.p_low, found.p_value, found.p_high], expected, rtol=1e-9)
    assert found.best == (gains.mean(axis=0) / spread).argmax()


def test_a_loud_worthless_trial_does_not_hide_a_quiet_good_one() -> None:
    """Without dividing by the standard errors first, the loud one alone would set the bar."""
    random = np.random.default_rng(1)
    gains = np.column_stack([random.normal(0.02, 0.1, 500), random.normal(0.0, 100.0, 500)])
    found = superior_ability(gains, block=1, draws=500)
    assert found.best == 0
    assert found.p_value < 0.01


def test_the_best_of_twenty_worthless_ones_is_claimed_in_about_one_case_in_twenty() -> None:
    claims = 0
    for seed in range(100):
        gains = np.random.default_rng(seed).normal(size=(150, 20))
        claims += superior_ability(gains, block=1, draws=100, seed=seed).p_value < 0.05
    assert claims <= 12


@pytest.mark.parametrize("gains", [np.zeros((100, 2)), np.ones((5, 2)), np.zeros((0, 0))])
def test_nothing_that_differs_or_too_few_sessions_decide_nothing(gains: np.ndarray) -> None:
    found = superior_ability(gains, block=1)
    assert (found.best, found.p_value) == (-1, 1.0)
