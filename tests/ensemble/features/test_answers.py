"""What a stock is expected to do follows from how it answered before, and from nothing else."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.linear_model import Ridge

from ensemble.arrays import Floats
from ensemble.features.answers import (
    ANSWER_CLIP,
    ANSWER_SESSIONS,
    DECAY,
    DECAY_BARS,
    MOVE_CLIP,
    NIGHT_PENALTY,
    PARTS_PENALTY,
    SCALE_SESSIONS,
    expected_answers,
    in_own_volatility,
    night_and_parts,
)
from ensemble.features.context import ContextSeries, Instants

ROWS = 420
RANDOM = np.random.default_rng(5)
NIGHTS, PARTS = RANDOM.normal(size=(2, ROWS)), RANDOM.normal(size=(3, ROWS))


def answering(strengths: list[float], noise: float = 0.5) -> Floats:
    """Moves of stocks that answer the first night with these strengths, (n_symbols, ROWS)."""
    surprises = np.random.default_rng(6).normal(size=(len(strengths), ROWS))
    return np.asarray(0.01 * (np.array(strengths)[:, None] * NIGHTS[0] + noise * surprises))


@pytest.mark.parametrize("row", [160, 300, ROWS - 1])
def test_the_expected_answer_is_that_of_ridge_regression_in_another_library(row: int) -> None:
    gaps, days = answering([1.0, -0.5]), answering([0.2, 0.4], noise=1.0)
    found = expected_answers({"gap": gaps, "day": days}, NIGHTS, PARTS)
    before = slice(max(row - ANSWER_SESSIONS, 0), row)
    for name, own in (("gap", gaps), ("day", days)):
        answers = np.nan_to_num(in_own_volatility(own))
        for suffix, moves, penalty in (
            ("", NIGHTS, NIGHT_PENALTY),
            ("_parts", np.concatenate([NIGHTS, PARTS]), PARTS_PENALTY),
        ):
            for stock in range(2):
                ridge = Ridge(alpha=penalty, fit_intercept=False).fit(moves[:, before].T, answers[stock, before])
                wanted = ridge.predict(moves[:, row : row + 1].T)[0]
                assert_allclose(found[f"expected_{name}{suffix}"][stock, row], wanted, rtol=1e-9, atol=1e-12)


def test_each_stock_has_an_answer_of_its_own() -> None:
    found = expected_answers({"gap": answering([1.0, -1.0])}, NIGHTS, PARTS)["expected_gap"]
    late = slice(300, ROWS)
    assert np.corrcoef(found[0, late], NIGHTS[0, late])[0, 1] > 0.99
    assert np.corrcoef(found[1, late], NIGHTS[0, late])[0, 1] < -0.99


@settings(max_examples=20, deadline=None)
@given(row=st.integers(150, ROWS - 1), size=st.floats(-3, 3))
def test_what_a_stock_does_later_changes_nothing_that_was_expected_of_it(row: int, size: float) -> None:
    own = answering([1.0, 0.3])
    other = own.copy()
    other[:, row:] *= size
    first, second = (expected_answers({"gap": one}, NIGHTS, PARTS) for one in (own, other))
    for name, before in first.items():
        assert_array_equal(second[name][:, : row + 1], before[:, : row + 1])


def test_nothing_is_expected_before_half_a_window_of_answers_is_known() -> None:
    own = answering([1.0, 1.0])
    own[1, :200] = np.nan
    found = expected_answers({"gap": own}, NIGHTS, PARTS)["expected_gap"]
    first = [int(np.argmax(np.isfinite(one))) for one in found]
    scaled = SCALE_SESSIONS // 2  # moves whose scale is not known yet
    assert first == [ANSWER_SESSIONS // 2 + scaled, 200 + ANSWER_SESSIONS // 2 + scaled]


def test_nothing_is_expected_where_nothing_abroad_is_known() -> None:
    nights, parts = NIGHTS.copy(), PARTS.copy()
    nights[:, -1] = parts[:, -1] = np.nan
    found = expected_answers({"gap": answering([1.0])}, nights, parts)
    assert all(np.isnan(one[0, -1]) and np.isfinite(one[0, -2]) for one in found.values())


def test_without_any_series_abroad_nothing_is_ever_expected() -> None:
    none = np.zeros((0, ROWS))
    found = expected_answers({"gap": answering([1.0])}, none, none)
    assert all(np.isnan(one).all() for one in found.values())


def test_moves_are_measured_in_what_came_before_them_and_clipped() -> None:
    own = np.tile([0.01, -0.01], 30)[None]
    own[0, 40] = 1.0
    found = in_own_volatility(own)[0]
    assert np.isnan(found[: SCALE_SESSIONS // 2]).all()
    assert_allclose(np.abs(found[30:40]), 1.0)
    assert found[40] == ANSWER_CLIP
    assert abs(found[41]) < 0.1


def test_a_night_is_measured_in_pandas_exponential_volatility_of_the_last_weeks() -> None:
    days = pd.bdate_range("2020-01-01", periods=120)
    change = pd.Series(np.random.default_rng(7).normal(0, 0.01, len(days)), index=days)
    close = pd.Series(100 * np.exp(change.cumsum()), index=days)
    bars = pd.DataFrame({"open": close.shift().fillna(100) * 1.001, "close": close, "adj_close": close})
    known_at = pd.DatetimeIndex(days + pd.Timedelta(hours=21)).tz_localize("UTC")
    decisions = pd.DatetimeIndex(days + pd.Timedelta(hours=27)).tz_localize("UTC")
    series = ContextSeries(bars, known_at, at_home=False)
    instants = Instants(decisions, pd.DatetimeIndex(decisions - pd.Timedelta(days=1)))
    night, parts = night_and_parts(series, instants, np.full(len(days), 0.02))
    window = change.iloc[-DECAY_BARS:]
    scale = np.sqrt((window**2).ewm(alpha=1 - DECAY, adjust=True).mean().iloc[-1])
    assert_allclose(night[0, -1], 0.02 / scale)
    assert_allclose(parts[:, -1], [np.log(1.001) / scale, (change.iloc[-1] - np.log(1.001)) / scale], rtol=1e-9)
    assert np.nanmax(np.abs(night)) <= MOVE_CLIP
