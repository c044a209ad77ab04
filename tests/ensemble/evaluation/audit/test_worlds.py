"""The other worlds are valid markets, and differ from the first one only where they should."""

from collections.abc import Callable
from dataclasses import replace
from datetime import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from ensemble.bars import BAR_COLUMNS, check_bars
from ensemble.evaluation.audit.bench import Bench
from ensemble.evaluation.audit.finding import Finding, Verdict, exit_code, verdict_of
from ensemble.evaluation.audit.known import known_bars
from ensemble.evaluation.audit.learners import dyed
from ensemble.evaluation.audit.relabel import relabelled
from ensemble.evaluation.audit.worlds import (
    as_known,
    begun_later,
    delayed,
    dividend_paid,
    other_future,
    restated,
    signs_flipped,
    truncated,
)
from ensemble.features.matrix import Market
from ensemble.labels import LABELS, label_bars
from ensemble.sessions import EXCHANGES, available_at
from ensemble.trading.limits import RiskLimits

ROW = 600
WORLDS: list[Callable[[Market], Market]] = [
    lambda market: truncated(market, ROW),
    lambda market: as_known(market, ROW),
    lambda market: other_future(market, ROW),
    lambda market: signs_flipped(market, 0),
    lambda market: begun_later(market, ROW),
    restated,
    dividend_paid,
    delayed,
]


@pytest.mark.parametrize("change", WORLDS)
def test_every_other_world_is_made_of_valid_bars(market: Market, change: Callable[[Market], Market]) -> None:
    world = change(market)
    for bars in world.bars.values():
        check_bars(bars, complete=True)
    for _, bars in world.context.values():
        check_bars(bars, complete=False)
    assert list(world.bars) == list(market.bars)


@pytest.mark.parametrize("exchange", sorted(EXCHANGES))
def test_what_is_known_is_what_the_as_of_cut_knows(market: Market, exchange: str) -> None:
    days = market.calendar.sessions[560:620]
    bars = pd.DataFrame(1.0, index=days, columns=list(BAR_COLUMNS))
    decisions = market.calendar.decisions(market.decision_time)
    for row in range(585, 595):
        known = available_at(days, exchange, delay_min=market.delay_min) <= decisions[row]
        assert_array_equal(known_bars(bars, exchange, market, row), known)


def test_a_bar_of_the_own_session_is_never_known_even_where_the_decision_came_after_its_close(market: Market) -> None:

    late = replace(market, decision_time=time(23, 0))
    bars = market.bars["SYN001.NS"]
    known = known_bars(bars, "XNSE", late, ROW)
    assert bars.index[known][-1] == market.calendar.sessions[ROW - 1]


def test_another_future_leaves_what_was_known_and_changes_all_the_rest(market: Market) -> None:
    world, first = other_future(market, ROW), market.calendar.sessions[ROW]
    for symbol, bars in market.bars.items():
        other = world.bars[symbol]
        assert_array_equal(other.loc[: first - pd.Timedelta(days=1)], bars.loc[: first - pd.Timedelta(days=1)])
        assert (other.loc[first:, "close"] != bars.loc[first:, "close"]).all()


@settings(max_examples=20)
@given(seed=st.integers(0, 2**16))
def test_flipping_signs_keeps_the_size_of_every_move_and_turns_about_half(market: Market, seed: int) -> None:
    bars, flipped = market.bars["SYN001.NS"], signs_flipped(market, seed).bars["SYN001.NS"]
    was, became = (np.log(side["close"]).diff().dropna() for side in (bars, flipped))
    assert_allclose(became.abs(), was.abs(), atol=1e-9)
    assert 0.4 < (np.sign(was) != np.sign(became)).mean() < 0.6
    assert_array_equal(flipped["volume"], bars["volume"])


def test_stocks_of_one_session_share_its_coin_and_series_abroad_have_none(market: Market) -> None:
    flipped = signs_flipped(market, 3)
    turned = {
        symbol: np.sign(np.log(bars["close"]).diff()) != np.sign(np.log(flipped.bars[symbol]["close"]).diff())
        for symbol, bars in market.bars.items()
    }
    one, two = (side.loc[market.calendar.sessions[100:500]] for side in turned.values())
    assert_array_equal(one, two)
    for symbol, (exchange, bars) in market.context.items():
        same = bars.equals(flipped.context[symbol][1])
        assert same == (exchange != market.calendar.exchange)


def test_labels_worked_out_again_are_the_labels(market: Market) -> None:
    sessions = market.calendar.sessions
    for bars in market.bars.values():
        labels = label_bars(bars, sessions=sessions, limits=market.limits)
        again = relabelled(bars, sessions, slice(0, len(sessions)), market.limits)
        assert_array_equal(again, labels[list(LABELS)].to_numpy())


def some_bars(moves: list[tuple[float, float, float] | None]) -> pd.DataFrame:
    """A bar for each (open, close, half the range beyond them) in per cent of 100, a range of -1 a locked one."""
    days = pd.date_range("2021-01-04", periods=len(moves), name="session")
    rows = {}
    for day, move in zip(days, moves, strict=True):
        if move is None:
            continue
        opened, closed, beyond = move
        if beyond < 0:
            opened = closed = 100 + opened
            rows[day] = (opened, opened, opened, opened)
        else:
            opened, closed = 100 + opened, 100 + closed
            rows[day] = (opened, max(opened, closed) + beyond, min(opened, closed) - beyond, closed)
    return pd.DataFrame.from_dict(rows, orient="index", columns=["open", "high", "low", "close"], dtype=np.float64)


points = st.integers(-8, 8).map(float)
moves = st.tuples(points, points, st.sampled_from([-1.0, 0.0, 1.0, 4.0]))


@settings(max_examples=100)
@given(st.lists(st.one_of(st.none(), moves, moves, moves), min_size=1, max_size=12).filter(any), st.integers(1, 4))
def test_labels_worked_out_again_are_the_labels_where_some_bars_are_locked_or_missing(
    drawn: list[tuple[float, float, float] | None], sessions_held: int
) -> None:
    bars = some_bars(drawn)
    sessions = pd.date_range("2021-01-04", periods=len(drawn) + 1, name="session")
    limits = RiskLimits(stop_loss_pct=2, take_profit_pct=4, max_holding_sessions=sessions_held)
    labels = label_bars(bars, sessions=sessions, limits=limits)
    again = relabelled(bars, sessions, slice(0, len(sessions)), limits)
    assert_array_equal(again, labels[list(LABELS)].to_numpy())


def test_the_dye_says_where_each_label_ends(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench()
    panel = dyed(bench.panel, bench.market.limits)
    assert panel.values[0, 321, 5] == 321
    assert panel.labels[1, 321].tolist() == [321, 321, 321, 330]


def test_the_worst_verdict_is_the_audits_and_no_finding_is_inconclusive() -> None:
    clean, leak, blind = (
        Finding("one", verdict, "") for verdict in (Verdict.CLEAN, Verdict.LEAK, Verdict.INCONCLUSIVE)
    )
    assert [exit_code(one) for one in ([clean], [clean, blind], [clean, blind, leak], [])] == [0, 3, 2, 3]
    assert verdict_of([clean, blind]) == Verdict.INCONCLUSIVE
