"""Forecasts that come true as often as they say raise no alarm for years; overconfident ones soon do."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.stats import entropy
from sklearn.metrics import log_loss

from ensemble.arrays import Floats
from ensemble.evaluation.live_loss import STAKES, excess_losses, watch_losses
from ensemble.evaluation.scored import Scored

LEVEL = 500.0


def scored(probability: Floats, outcome: Floats, horizon: int = 1) -> Scored:
    sessions = pd.date_range("2020-01-01", periods=probability.shape[1])
    symbols = tuple(f"S{place}" for place in range(len(probability)))
    return Scored("gap", sessions, symbols, probability, outcome, horizon)


def drawn(random: np.random.Generator, truth: Floats) -> Floats:
    return (random.random(truth.shape) < truth).astype(np.float64)


def test_the_excess_is_the_loss_of_a_second_library_less_the_entropy() -> None:
    random = np.random.default_rng(1)
    said = random.uniform(0.05, 0.95, (3, 4))
    outcome = drawn(random, said)
    outcome[1, 2] = np.nan
    for day, found in enumerate(excess_losses(said, outcome)):
        known = np.isfinite(outcome[:, day])
        lost = log_loss(outcome[known, day], said[known, day], labels=[0, 1])
        assert_allclose(found, lost - entropy([said[known, day], 1 - said[known, day]]).mean())


@given(st.floats(0, 1), st.sampled_from([0.0, 1.0]))
def test_no_stake_loses_more_than_half_in_a_session(said: float, outcome: float) -> None:
    excess = excess_losses(np.array([[said]]), np.array([[outcome]]))
    assert 1 + max(STAKES) * excess[0] >= 0.5


@given(st.floats(0.01, 0.99))
def test_forecasts_that_are_right_expect_no_excess(said: float) -> None:
    up, down = (excess_losses(np.array([[said]]), np.array([[outcome]]))[0] for outcome in (1.0, 0.0))
    assert_allclose(said * up + (1 - said) * down, 0, atol=1e-12)


@pytest.mark.parametrize("horizon", [1, pytest.param(5, marks=pytest.mark.slow)])
def test_without_a_fault_an_alarm_takes_at_least_as_many_sessions_as_its_level_says(horizon: int) -> None:
    random, lengths = np.random.default_rng(2), []
    for _ in range(40):
        said = 1 / (1 + np.exp(-random.normal(0, 0.5, (2, 1500))))
        alarms = watch_losses(scored(said, drawn(random, said), horizon), alarm_level=LEVEL).alarms
        lengths.append(alarms[0] if alarms else 1500)
    assert np.mean(lengths) > LEVEL


def test_forecasts_that_say_too_much_are_found_out_within_a_year_and_the_watch_begins_anew() -> None:
    random = np.random.default_rng(3)
    said = 1 / (1 + np.exp(-random.normal(0, 1.0, (3, 750))))
    truth = np.where(np.arange(750) < 250, said, 0.5)  # a year of skill, then none
    found = watch_losses(scored(said, drawn(random, truth)), alarm_level=2500)
    assert 250 < found.alarms[0] < 500
    assert found.level[found.alarms[0] + 1] < 2500
    assert len(found.alarms) > 1  # it goes on


def test_what_is_not_known_yet_changes_nothing() -> None:
    random = np.random.default_rng(4)
    said = random.uniform(0.2, 0.8, (2, 30))
    outcome = drawn(random, said)
    shorter = watch_losses(scored(said[:, :20], outcome[:, :20]), alarm_level=LEVEL)
    outcome[:, 20:] = np.nan
    longer = watch_losses(scored(said, outcome), alarm_level=LEVEL)
    assert_allclose(shorter.level, longer.level)
    assert longer.places == tuple(range(20))
