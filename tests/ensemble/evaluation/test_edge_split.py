"""Knowledge of the gap is not profit: planted in one part of the session, an edge is found in that part."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ensemble.evaluation.edge_split import EdgeSplit, Moves, edge_split, edge_splits, session_moves
from ensemble.evaluation.scored import Scored
from ensemble.evaluation.share import mean_by_session, mean_of_sessions

INDEX = pd.bdate_range("2019-01-01", periods=401, name="session")
ALL = 0.5


def bars(gap: np.ndarray, day: np.ndarray, index: pd.DatetimeIndex = INDEX) -> pd.DataFrame:
    close = 100 * np.exp(np.cumsum(gap + day))
    opened = close / np.exp(day)
    prices = {"open": opened, "high": np.maximum(opened, close), "low": np.minimum(opened, close), "close": close}
    return pd.DataFrame(prices | {"adj_close": close, "volume": 1.0}, index=index)


def scored(probability: np.ndarray, symbols: tuple[str, ...] = ("A",), label: str = "gap") -> Scored:
    wide = np.broadcast_to(probability, (len(symbols), len(INDEX)))
    return Scored(label, INDEX, symbols, wide.copy(), np.full(wide.shape, np.nan), 1)


def market(symbols: tuple[str, ...] = ("A",), seed: int = 0) -> tuple[Moves, np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    gap, day = random.normal(0, 0.005, (2, len(symbols), len(INDEX)))
    frames = {symbol: bars(gap[row], day[row]) for row, symbol in enumerate(symbols)}
    return session_moves(frames, INDEX), gap, day


def test_the_moves_are_those_of_the_prices_and_the_first_gap_is_unknown() -> None:
    moves, gap, day = market(("A", "B"))
    assert moves.gap[:, 1:] == pytest.approx(gap[:, 1:])
    assert np.isnan(moves.gap[:, 0]).all()
    assert moves.day == pytest.approx(day)


def test_who_knows_the_gap_alone_is_shown_an_edge_before_the_open_and_none_after_it() -> None:
    moves, gap, _ = market()
    found = edge_split(scored(np.where(gap > 0, 0.8, 0.2)[0]), moves, min_confidence=ALL)
    assert found.forecasts == 400
    assert found.before_open.value == pytest.approx(1e4 * np.abs(gap[0, 1:]).mean())
    assert found.before_open.low > 30
    assert found.after_open.low < 0 < found.after_open.high


def test_who_knows_the_day_is_shown_it_after_the_open() -> None:
    moves, _, day = market()
    found = edge_split(scored(np.where(day > 0, 0.8, 0.2)[0]), moves, min_confidence=ALL)
    assert found.after_open.value == pytest.approx(1e4 * np.abs(day[0, 1:]).mean())
    assert found.before_open.low < 0 < found.before_open.high


@given(st.integers(0, 100))
def test_the_two_parts_add_up_to_the_move_from_close_to_close(seed: int) -> None:
    moves, gap, day = market(seed=seed)
    side = np.random.default_rng(seed).choice([-1, 1], len(INDEX))
    found = edge_split(scored(0.5 + 0.1 * side), moves, min_confidence=ALL)
    total = 1e4 * (side * (gap + day)[0])[1:].mean()
    assert found.before_open.value + found.after_open.value == pytest.approx(total)


def test_only_forecasts_that_are_sure_enough_and_take_a_side_count() -> None:
    moves, _, day = market()
    probability = np.full(len(INDEX), 0.5)
    probability[[5, 6, 7]] = [0.71, 0.29, 0.69]
    found = edge_split(scored(probability), moves, min_confidence=0.7)
    assert found.forecasts == 2
    assert found.after_open.value == pytest.approx(1e4 * (day[0, 5] - day[0, 6]) / 2)
    assert edge_split(scored(probability), moves, min_confidence=ALL).forecasts == 3


def test_the_gap_of_a_dividend_is_given_back() -> None:
    frame = bars(np.zeros(401), np.zeros(401))
    frame.iloc[200:, :4] *= 0.9
    frame.iloc[:200, 4] *= 0.9
    frame["adj_close"] = 90.0
    moves = session_moves({"A": frame}, INDEX)
    assert np.nanmax(np.abs(moves.gap)) == pytest.approx(0)


def test_a_missing_bar_takes_its_session_and_the_gap_after_it_out() -> None:
    random = np.random.default_rng(1)
    frame = bars(*random.normal(0, 0.01, (2, 401))).drop(INDEX[50])
    moves = session_moves({"A": frame}, INDEX)
    assert np.isnan(moves.gap[0, [50, 51]]).all()
    found = edge_split(scored(np.full(401, 0.6)), moves, min_confidence=ALL)
    assert found.forecasts == 398


def test_without_a_forecast_nothing_is_claimed() -> None:
    found = edge_split(scored(np.full(401, 0.6)), market()[0], min_confidence=0.9)
    assert found.forecasts == 0
    assert np.isnan([found.before_open.value, found.after_open.low]).all()


def test_labels_are_shown_for_all_stocks_and_for_those_traded() -> None:
    moves, _, _ = market(("A", "B"))
    said = {label: scored(np.full(401, 0.6), ("A", "B"), label) for label in ("gap", "barrier")}
    found = edge_splits(said, moves, min_confidence=0.7, traded=("B",))

    def key(one: EdgeSplit) -> tuple[Any, ...]:
        return one.label, one.symbols, one.min_confidence

    rows = [(("A", "B"), 0.5), (("A", "B"), 0.7), (("B",), 0.5), (("B",), 0.7)]
    assert [key(one) for one in found] == [(label, *row) for label in ("gap", "barrier") for row in rows]
    assert len(edge_splits(said, moves, min_confidence=0.7, traded=("A", "B"))) == 4


def test_stocks_that_move_as_one_make_no_interval_narrower() -> None:
    one = np.random.default_rng(2).normal(1, 5, (1, 300))
    alone, doubled = mean_by_session(one), mean_by_session(np.repeat(one, 7, axis=0))
    assert (doubled.low, doubled.high) == pytest.approx((alone.low, alone.high))
    student = mean_of_sessions(one[0])
    assert (alone.value, alone.low, alone.high) == pytest.approx((student.value, student.low, student.high))


def test_a_mean_over_sessions_of_different_size_holds_the_truth_as_often_as_it_says() -> None:
    hit = 0
    for seed in range(300):
        random = np.random.default_rng(seed)
        values = random.normal(0, 1, (5, 60)) + random.normal(0, 1, 60)
        values[random.random((5, 60)) < 0.5] = np.nan
        found = mean_by_session(values)
        hit += found.low < 0 < found.high
    assert hit / 300 == pytest.approx(0.95, abs=0.04)
    assert mean_by_session(np.array([[3.0]])).high == np.inf
