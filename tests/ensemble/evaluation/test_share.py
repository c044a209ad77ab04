"""A share's interval holds for a few forecasts, for stocks that move together, and for labels that overlap."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from ensemble.evaluation.share import mean_of_sessions, share


@given(st.lists(st.booleans(), min_size=1, max_size=60))
def test_independent_hits_have_wilsons_interval(hits: list[bool]) -> None:
    found = share(np.array([hits], dtype=float), lags=0)
    low, high = proportion_confint(sum(hits), len(hits), method="wilson")
    assert found.value == pytest.approx(sum(hits) / len(hits))
    assert [found.low, found.high] == pytest.approx([max(low, 0), min(high, 1)], abs=1e-9)


def test_three_of_three_are_no_certainty() -> None:
    assert share(np.ones((1, 3)), lags=0).low < 0.5


def test_stocks_that_do_the_same_count_once() -> None:
    one = np.random.default_rng(0).integers(0, 2, (1, 200)).astype(float)
    alone, together = share(one, lags=0), share(np.repeat(one, 7, axis=0), lags=0)
    assert [alone.low, alone.high] == pytest.approx([together.low, together.high])
    all_right = share(np.ones((7, 3)), lags=0)
    assert all_right.low == pytest.approx(share(np.ones((1, 3)), lags=0).low)


def test_the_interval_holds_the_truth_when_stocks_move_together() -> None:
    random = np.random.default_rng(1)
    held = 0
    for _ in range(300):
        together = random.random(60) < 0.6
        hits = np.where(random.random((5, 60)) < 0.8, together, random.random((5, 60)) < 0.6).astype(float)
        found = share(hits, lags=0)
        held += found.low <= 0.6 <= found.high
    assert held / 300 > 0.92


def test_the_interval_holds_the_truth_when_labels_overlap() -> None:
    random = np.random.default_rng(2)
    held = 0
    for _ in range(300):
        moves = np.convolve(random.normal(size=409), np.ones(10), "valid")
        found = share((moves > 0).astype(float)[None], lags=18)
        held += found.low <= 0.5 <= found.high
    assert held / 300 > 0.9
    assert share(np.ones((1, 30)), lags=18).low == pytest.approx(share(np.ones((1, 3)), lags=0).low)


def test_the_unknown_is_left_out_and_nothing_known_is_nothing_told() -> None:
    hits = np.array([[1.0, np.nan, 0.0, 1.0]])
    assert share(hits, lags=0).value == pytest.approx(2 / 3)
    assert np.isnan(share(np.full((2, 3), np.nan), lags=0).value)


@given(st.lists(st.floats(-100, 100), min_size=2, max_size=30))
def test_the_mean_of_sessions_has_students_interval(values: list[float]) -> None:
    found = mean_of_sessions(np.array(values))
    if np.std(values) > 1e-6:
        expected = stats.ttest_1samp(values, 0).confidence_interval(0.95)
        assert [found.low, found.high] == pytest.approx([expected.low, expected.high])


def test_one_session_says_nothing_of_how_sessions_differ() -> None:
    found = mean_of_sessions(np.array([3.0]))
    assert (found.value, found.low, found.high) == (3.0, -np.inf, np.inf)
    assert np.isnan(mean_of_sessions(np.array([])).value)
