"""Forecasts that know nothing are told from those that do, also where they follow what came before."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from ensemble.evaluation.forward_test import WINDOW_SESSIONS, forward_test, ranks_so_far
from ensemble.evaluation.roc_area import fold_auc
from ensemble.evaluation.scored import Scored

LEVEL = 0.05


def scored(probability: np.ndarray, outcome: np.ndarray, horizon: int = 1) -> Scored:
    sessions = pd.bdate_range("2012-01-02", periods=outcome.shape[1])
    return Scored("gap", sessions, tuple("ABCDEFGH"[: len(outcome)]), probability, outcome, horizon)


def coins(seed: int, sessions: int = 750, symbols: int = 2) -> np.ndarray:
    return (np.random.default_rng(seed).random((symbols, sessions)) < 0.5).astype(float)


def leaning(outcome: np.ndarray, side: float, first: int = 0) -> np.ndarray:
    """Forecasts with (1) or against (-1) the last five outcomes, from the session `first` on."""
    recent = pd.DataFrame(outcome.T).rolling(5, min_periods=1).mean().shift(1).fillna(0.5).to_numpy().T
    noise = np.random.default_rng(int(outcome.sum())).normal(0, 0.01, outcome.shape)
    said = 0.5 + 0.2 * side * (recent - 0.5) + noise
    return np.where(np.arange(outcome.shape[1]) < first, np.nan, said)


def rejected(p_values: list[float]) -> float:
    return float(np.mean(np.array(p_values) <= LEVEL))


@pytest.mark.parametrize("side", [1.0, -1.0])
def test_leaning_on_past_outcomes_is_no_skill(side: float) -> None:
    markets = [coins(seed, sessions=1750) for seed in range(150)]  # four years before the first forecast
    found = [forward_test(scored(leaning(outcome, side, first=1000), outcome)) for outcome in markets]
    assert rejected([one.p_value for one in found]) <= LEVEL + 2 * np.sqrt(LEVEL * (1 - LEVEL) / len(markets))
    areas = np.array([one.area for one in found])
    assert areas.mean() == pytest.approx(0.5, abs=2.5 * areas.std() / np.sqrt(len(areas)))


def test_within_months_leaning_against_them_looks_like_skill() -> None:
    """The reason why the verdict does not go by the p-value of the averaged area."""
    areas = [fold_auc(scored(leaning(outcome, -1.0), outcome)) for outcome in (coins(seed) for seed in range(150))]
    assert rejected([one.p_value for one in areas]) > 3 * LEVEL
    assert np.mean([one.value for one in areas]) > 0.51


def test_what_is_known_is_found_on_the_scale_of_an_area() -> None:
    random = np.random.default_rng(5)
    odds = random.normal(0, 0.8, (3, 4000))
    outcome = (random.random(odds.shape) < 1 / (1 + np.exp(-odds))).astype(float)
    found = forward_test(scored(1 / (1 + np.exp(-odds)), outcome))
    assert found.p_value < 1e-10
    assert found.area == pytest.approx(
        stats.mannwhitneyu(odds[outcome > 0.5], odds[outcome < 0.5]).statistic / (outcome.sum() * (1 - outcome).sum()),
        abs=0.01,
    )


def test_to_know_which_stock_rises_more_often_is_no_skill() -> None:
    """The base rate so far knows it as well."""
    shares, random = np.array([[0.7], [0.4]]), np.random.default_rng(2)
    p_values = []
    for _ in range(100):
        outcome = (random.random((2, 500)) < shares).astype(float)
        p_values.append(forward_test(scored(shares + random.normal(0, 0.01, outcome.shape), outcome)).p_value)
    assert rejected(p_values) <= LEVEL + 2 * np.sqrt(LEVEL * (1 - LEVEL) / len(p_values))


def test_labels_that_overlap_count_once() -> None:
    """Ten sessions reach over the same moves: noise that lasts as long is called an edge no more often."""
    random, p_values = np.random.default_rng(7), []
    for _ in range(120):
        steps = random.normal(size=(1, 1500 + 10))
        outcome = (np.lib.stride_tricks.sliding_window_view(steps, 10, axis=1).sum(axis=2)[:, :1500] > 0).astype(float)
        slow = pd.Series(random.normal(size=1500)).ewm(halflife=10).mean().to_numpy()[None, :]
        p_values.append(forward_test(scored(1 / (1 + np.exp(-slow)), outcome, horizon=10)).p_value)
    assert rejected(p_values) <= LEVEL + 2 * np.sqrt(LEVEL * (1 - LEVEL) / len(p_values))


@given(st.integers(1, 79), st.randoms(use_true_random=False))
def test_no_rank_knows_a_later_forecast(place: int, random) -> None:  # type: ignore[no-untyped-def]
    generator = np.random.default_rng(random.getrandbits(32))
    said, later = generator.random((2, 80)), generator.random((2, 80))
    changed = np.where(np.arange(80) < place, said, later)
    before, after = (ranks_so_far(scored(one, coins(0, 80)))[:, :place] for one in (said, changed))
    np.testing.assert_array_equal(before, after)


def test_a_rank_is_the_mean_rank_among_the_last_quarter() -> None:
    said = np.round(np.random.default_rng(3).random((2, 100)), 1)  # with ties
    said[0, 50] = np.nan
    ranks = ranks_so_far(scored(said, coins(0, 100)))
    assert np.isnan(ranks[0, 50])
    for place in (0, 10, 99):
        recent = said[:, max(0, place - WINDOW_SESSIONS) : place + 1].ravel()
        recent = np.append(said[0, place], recent[np.isfinite(recent)])
        others = recent[1:]
        expected = (stats.percentileofscore(others, said[0, place], kind="mean")) / 100 - 0.5
        assert ranks[0, place] == pytest.approx(expected, abs=1e-12)


def test_where_nothing_is_known_nothing_is_told() -> None:
    nothing = np.full((1, 30), np.nan)
    assert forward_test(scored(np.full((1, 30), 0.5), nothing)).p_value == 1.0
    one = nothing.copy()
    one[0, 3] = 1.0
    assert forward_test(scored(np.full((1, 30), 0.5), one)).p_value == 1.0
