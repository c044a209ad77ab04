"""On the same probabilities the account trades as backtesting.py does; test_engine_differences.py says where not."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ensemble.fills import ExitReason
from ensemble.trading.account import Direction, Settlement, Trade
from ensemble.trading.session_bars import Bar
from tests.ensemble.trading.independent_engine import Independent, TheirTrade, trade_independently
from tests.ensemble.trading.plans import START, Plan, account_history, plan_of, walk


def in_their_words(trade: Trade) -> TheirTrade:
    return TheirTrade(
        str(trade.direction),
        trade.quantity,
        (trade.entry_session - START).days,
        trade.entry_price,
        (trade.exit_session - START).days,
        trade.exit_price,
        str(trade.exit_reason),
        trade.cost,
        trade.profit,
    )


def assert_same(theirs: Independent, ours: Sequence[Settlement]) -> None:
    traded = [in_their_words(trade) for settlement in ours for trade in settlement.trades]
    assert len(theirs.trades) == len(traded)
    for one, other in zip(theirs.trades, traded, strict=True):
        assert named(one) == named(other)
        assert priced(other) == pytest.approx(priced(one), rel=1e-12, abs=1e-8)
    equity = [settlement.mark.equity for settlement in ours]
    assert [equity[session] for session in theirs.equity] == pytest.approx(list(theirs.equity.values()), rel=1e-12)


def named(trade: TheirTrade) -> tuple[int, str, int, int, str]:
    return trade.quantity, trade.direction, trade.entry_session, trade.exit_session, trade.exit_reason


def priced(trade: TheirTrade) -> tuple[float, float, float, float]:
    return trade.entry_price, trade.exit_price, trade.cost, trade.profit


MARKETS = [
    pytest.param(1, {"move_pct": 1.0}, id="calm"),
    pytest.param(2, {"move_pct": 3.0}, id="wild"),
    pytest.param(3, {"move_pct": 1.5, "tick": 1.0}, id="ties"),
]


@pytest.mark.parametrize("product", ["cash", "futures"])
@pytest.mark.parametrize(("seed", "market"), MARKETS)
def test_thousands_of_trades_and_every_close_are_those_of_an_independent_engine(
    seed: int, market: Any, product: str
) -> None:
    plan = plan_of(seed, walk(seed, 3_000, **market), commission_bp=12.0, max_holding_sessions=3, product=product)
    theirs = trade_independently(plan)
    assert len(theirs.trades) > 700
    assert {trade.exit_reason for trade in theirs.trades} == set(ExitReason)
    assert {trade.direction for trade in theirs.trades} == ({"LONG"} if product == "cash" else set(Direction))
    assert_same(theirs, account_history(plan))


@given(
    seed=st.integers(0, 10_000),
    stop_loss_pct=st.floats(0.5, 10),
    take_profit_pct=st.floats(0.5, 20),
    max_holding_sessions=st.integers(1, 12),
    position_pct=st.floats(1, 40),
    commission_bp=st.floats(1, 100),
    product=st.sampled_from(["cash", "futures"]),
    cool_down_sessions=st.integers(0, 3),
)
@settings(max_examples=15)
def test_other_rules_trade_alike_too(seed: int, **rules: Any) -> None:
    plan = plan_of(seed, walk(seed, 150, move_pct=2.0), **rules)
    assert_same(trade_independently(plan), account_history(plan))


def test_slippage_is_against_the_trader_in_every_fill_but_the_targets() -> None:
    """They pay it at the entry only; what the account pays at its exits comes off their prices here."""
    plan = plan_of(4, walk(4, 1_000, move_pct=2.0), entry_slippage_bp=20.0, product="futures")
    theirs = trade_independently(plan).trades
    ours = [in_their_words(trade) for settlement in account_history(plan) for trade in settlement.trades]
    assert [named(trade)[1:] for trade in ours] == [named(trade)[1:] for trade in theirs]
    assert [trade.entry_price for trade in ours] == pytest.approx([trade.entry_price for trade in theirs], rel=1e-12)
    worse = {"LONG": 0.998, "SHORT": 1.002}
    slipped = [trade.exit_price * (1 if trade.exit_reason == "TARGET" else worse[trade.direction]) for trade in theirs]
    assert [trade.exit_price for trade in ours] == pytest.approx(slipped, rel=1e-12)


GRID = [
    Bar(opened, high, low, close)
    for high in range(95, 106)
    for low in range(max(95, high - 7), high + 1)
    for opened in range(low, high + 1)
    for close in range(low, high + 1)
]
"""Every bar of whole prices around stop and target of an entry at 100, either way."""
CALM, CRASH, SURGE = Bar(100, 101, 99, 100), Bar(80, 81, 79, 80), Bar(120, 121, 119, 120)


@pytest.mark.parametrize("sure", [pytest.param(0.9, id="long"), pytest.param(0.1, id="short")])
@pytest.mark.parametrize("before", [pytest.param((CALM, CALM), id="held"), pytest.param((CALM,), id="entry")])
def test_every_bar_around_stop_and_target_fills_alike(before: tuple[Bar, ...], sure: float) -> None:
    bars = [one for bar in GRID for one in (*before, bar, CRASH if sure > 0.5 else SURGE)]
    decisions = [0.5, sure, 0.5, 0.5][: len(before) + 2]
    plan = Plan(bars, decisions * len(GRID), position_pct=1.0, cash=1e7, product="futures")
    theirs = trade_independently(plan)
    assert len(theirs.trades) >= len(GRID) - len([bar for bar in GRID if bar.high == bar.low])
    assert_same(theirs, account_history(plan))
