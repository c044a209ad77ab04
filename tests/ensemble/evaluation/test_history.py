"""A history knows nothing of its own session or later."""

import numpy as np
import pandas as pd
import pytest

from ensemble.evaluation.history import History, history_of, label_histories, volatility_tercile
from ensemble.labels import label_bars
from ensemble.trading.limits import RiskLimits
from tests.ensemble.conftest import random_bars
from tests.ensemble.evaluation.conftest import MakeScored

LIMITS = RiskLimits()
DAYS = pd.date_range("2015-01-01", periods=700, freq="B", name="session", unit="us")


@pytest.fixture(scope="module")
def bars() -> dict[str, pd.DataFrame]:
    random = np.random.default_rng(0)
    return {name: random_bars(DAYS, random, np.zeros(700)) for name in ("A", "B")}


def test_outcomes_are_the_labels_of_the_bars(bars: dict[str, pd.DataFrame]) -> None:
    found = label_histories(bars, sessions=DAYS, limits=LIMITS)
    expected = label_bars(bars["B"], sessions=DAYS, limits=LIMITS)
    for label, history in found.items():
        np.testing.assert_array_equal(history.outcome[1], expected[label])
    assert (found["gap"].horizon, found["barrier"].horizon) == (1, LIMITS.max_holding_sessions)


def test_volatility_is_that_of_the_twenty_changes_before_the_session(bars: dict[str, pd.DataFrame]) -> None:
    history = label_histories(bars, sessions=DAYS, limits=LIMITS)["gap"]
    changes = np.log(bars["A"]["adj_close"]).diff()
    expected = changes.rolling(20).std(ddof=0).shift(1).to_numpy()
    np.testing.assert_allclose(history.volatility[0], expected, rtol=1e-6)


def test_bars_from_the_session_on_change_neither_its_volatility_nor_its_tercile(
    bars: dict[str, pd.DataFrame],
) -> None:
    later = {name: frame.copy() for name, frame in bars.items()}
    for frame in later.values():
        frame.iloc[400:, :5] *= 3.0
    before, after = (label_histories(one, sessions=DAYS, limits=LIMITS)["gap"] for one in (bars, later))
    np.testing.assert_array_equal(before.volatility[:, :401], after.volatility[:, :401])
    assert not np.array_equal(before.volatility[:, 401:], after.volatility[:, 401:])
    np.testing.assert_array_equal(volatility_tercile(before)[:, :401], volatility_tercile(after)[:, :401])


def test_a_tercile_is_the_third_of_the_volatilities_so_far(bars: dict[str, pd.DataFrame]) -> None:
    history = label_histories(bars, sessions=DAYS, limits=LIMITS)["gap"]
    tercile = volatility_tercile(history)
    for place in (300, 450, 699):
        so_far = history.volatility[0, : place + 1]
        share = (so_far[np.isfinite(so_far)] < history.volatility[0, place]).mean()
        assert tercile[0, place] == np.searchsorted([1 / 3, 2 / 3], share)
    assert np.isnan(tercile[0, :250]).all()


def test_values_are_laid_beside_the_forecasts_by_symbol_and_session(make_scored: MakeScored) -> None:
    scored = make_scored(sessions=3, symbols=2)
    sessions = scored.sessions[:2].insert(0, scored.sessions[0] - pd.Timedelta(days=1))
    history = History("gap", sessions, ("S1", "other"), np.zeros((2, 3)), np.zeros((2, 3)), 1)
    beside = history.beside(scored, np.array([[1.0, 2.0, 3.0], [7.0, 8.0, 9.0]]))
    np.testing.assert_array_equal(beside, [[np.nan] * 3, [2.0, 3.0, np.nan]])


def test_without_bars_a_history_has_the_range_s_own_outcomes_and_no_volatility(make_scored: MakeScored) -> None:
    scored = make_scored(symbols=2)
    history = history_of(scored)
    np.testing.assert_array_equal(history.outcome, scored.outcome)
    assert np.isnan(volatility_tercile(history)).all()


def test_too_few_bars_have_no_volatility(bars: dict[str, pd.DataFrame]) -> None:
    few = {"A": bars["A"].iloc[:20]}
    assert np.isnan(label_histories(few, sessions=DAYS, limits=LIMITS)["gap"].volatility).all()
