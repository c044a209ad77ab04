"""Forecasts that look as they did raise nothing for years; ones that say one thing or lean to a side are found out."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.stats import ks_2samp

from ensemble.arrays import Floats
from ensemble.evaluation.forecast_drift import WINDOW_SESSIONS, ForecastShape, shape_of
from ensemble.stacking.evidence import gather_evidence

SPREAD = 0.3


def stream(random: np.random.Generator, sessions: int, memory: float = 0.4) -> Floats:
    """Log-odds of five stocks that are alike, as are neighbouring sessions: (5, n_sessions)."""
    noise = random.normal(size=(6, sessions))
    for day in range(1, sessions):
        noise[:, day] = memory * noise[:, day - 1] + np.sqrt(1 - memory**2) * noise[:, day]
    return np.asarray(SPREAD * (np.sqrt(0.6) * noise[0] + np.sqrt(0.4) * noise[1:]))


def shape(past: Floats) -> ForecastShape:
    found = shape_of(gather_evidence(past, np.ones_like(past), lags=0), past, seed=1)
    assert found is not None
    return found


def alarms_after(found: ForecastShape, later: Floats, level: int) -> int:
    """Sessions until the first alarm; as many as there are where none comes."""
    said, limit = 1 / (1 + np.exp(-later)), found.limit(level)
    days = range(WINDOW_SESSIONS, said.shape[1] + 1)
    return next((day for day in days if found.distance(said[:, day - WINDOW_SESSIONS : day]) > limit), said.shape[1])


def test_the_distance_is_that_of_a_second_library_up_to_its_edges() -> None:
    random = np.random.default_rng(1)
    past, later = np.round(stream(random, 500), 2), np.round(stream(random, 30), 2) + 0.1
    told = shape(past).distance(1 / (1 + np.exp(-later)))
    assert_allclose(told, ks_2samp(past.ravel(), later.ravel()).statistic, atol=1 / 32)


@pytest.mark.parametrize(
    ("memory", "level", "tries", "least"),
    [
        (0.4, 150, 20, 0.9),
        pytest.param(0.0, 500, 100, 0.9, marks=pytest.mark.slow),
        pytest.param(0.4, 500, 100, 0.9, marks=pytest.mark.slow),
        pytest.param(0.7, 500, 100, 0.6, marks=pytest.mark.slow),  # blocks of 30 are too short for such a memory
    ],
)
def test_without_a_fault_an_alarm_takes_about_as_many_sessions_as_is_said(
    memory: float, level: int, tries: int, least: float
) -> None:
    random, lengths = np.random.default_rng(2), []
    for _ in range(tries):
        both = stream(random, 500 + 6 * level, memory)
        lengths.append(alarms_after(shape(both[:, :500]), both[:, 500:], level))
    assert least * level < np.mean(lengths) < 2.5 * level


def test_forecasts_that_fall_silent_or_lean_by_their_own_deviation_are_found_out_within_two_months() -> None:
    random = np.random.default_rng(3)
    both = stream(random, 560)
    found, later = shape(both[:, :500]), both[:, 500:]
    assert alarms_after(found, later, 2500) == 60
    turned = {"constant": np.zeros_like(later), "shifted": later + SPREAD, "tripled": 3 * later}
    for name, stranger in turned.items():
        lived = np.hstack([both[:, 470:500], stranger])
        assert alarms_after(found, lived, 2500) <= 30 + 45, name


def test_more_sessions_to_a_false_alarm_ask_for_a_larger_distance() -> None:
    found = shape(stream(np.random.default_rng(4), 500))
    limits = [found.limit(level) for level in (100, 500, 2500, 1_000_000)]
    assert limits == sorted(limits)
    assert limits[-1] == found.usual[0]


def test_a_speaker_that_learnt_from_its_own_past_is_judged_by_what_it_said_without() -> None:
    """It is three times as sure of what it has seen; later forecasts look like the evidence."""
    random = np.random.default_rng(5)
    both = stream(random, 560)
    evidence = gather_evidence(both[:, :500], np.ones((5, 500)), lags=0)
    found = shape_of(evidence, 3 * both[:, :500], seed=1)
    assert found is not None
    assert alarms_after(found, both[:, 500:], 2500) == 60


def test_sessions_and_stocks_of_which_nothing_was_said_count_for_nothing() -> None:
    past = stream(np.random.default_rng(6), 400)
    past[0], past[:, 100:140] = np.nan, np.nan
    outcomes = np.where(np.isfinite(past), 1.0, np.nan)
    found = shape_of(gather_evidence(np.nan_to_num(past), outcomes, lags=0), past, seed=1)
    assert found is not None
    assert np.isfinite(found.usual).all()
    assert 0.05 < found.limit(500) < 0.5


def test_too_short_a_past_has_no_shape() -> None:
    past = stream(np.random.default_rng(7), WINDOW_SESSIONS - 1)
    assert shape_of(gather_evidence(past, np.ones_like(past), lags=0), past, seed=1) is None
