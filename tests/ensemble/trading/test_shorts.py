"""Futures: a confident fall opens a short, which the one fill rule sees upside down."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from ensemble.fills import ExitReason, fill_exits
from ensemble.trading.account import Account, Direction, Position, open_account
from ensemble.trading.costs import Product, Side
from ensemble.trading.events import EventKind, Unfilled
from ensemble.trading.exits import exit_fill
from ensemble.trading.limits import RiskLimits
from ensemble.trading.rules import TradingRules
from ensemble.trading.session_bars import Bar
from ensemble.trading.signals import Action, Quote, Reason, Signal, SignalOptions, decide_signals
from ensemble.trading.situation import situation_of
from tests.ensemble.trading.builders import (
    BEFORE,
    CALM,
    COSTLY,
    FREE,
    LIMITS,
    SESSION,
    holding,
    limited,
    position,
    settled,
    signal,
)

FUTURES = limited(product="futures")


def short(**changes: object) -> Position:
    """100 shares sold at 100 the session before."""
    return replace(position(direction=Direction.SHORT, stop_price=102.0, target_price=96.0), **changes)  # type: ignore[arg-type]


def decide(probability: float, account: Account, rules: TradingRules = FUTURES) -> Signal:
    situation = situation_of(account, SESSION, {"A": Quote(100.0, 1)}, late=False)
    (one,) = decide_signals({"A": probability}, situation, options=SignalOptions(), limits=rules.limits)
    return one


def test_a_confident_fall_sells_what_is_not_held_and_sizes_it() -> None:
    order = decide(0.1, open_account(LIMITS))
    assert (order.action, order.quantity, order.reasons) == (Action.SELL, 100, (Reason.CONFIDENT,))
    assert order.actionable


def test_of_cash_shares_it_holds() -> None:
    assert decide(0.1, open_account(LIMITS), FREE).reasons == (Reason.NOTHING_TO_SELL,)
    assert settled(open_account(LIMITS), {"A": CALM}, signal(action=Action.SELL)).account.positions == ()


def test_a_confident_rise_covers_all_that_is_owed() -> None:
    order = decide(0.9, holding(short()))
    assert (order.action, order.quantity) == (Action.BUY, 100)
    settlement = settled(holding(short()), {"A": Bar(97, 120, 80, 90)}, order, rules=FUTURES)
    assert settlement.account.positions == ()
    assert (settlement.trades[0].exit_reason, settlement.trades[0].profit) == (ExitReason.SIGNAL, 300)


def test_what_is_sold_already_is_not_sold_again() -> None:
    order = decide(0.1, holding(short()))
    assert (order.action, order.reasons) == (Action.HOLD, (Reason.ALREADY_HELD,))


def test_what_is_held_is_sold_and_not_turned_round() -> None:
    order = decide(0.1, holding(position()))
    assert (order.action, order.quantity) == (Action.SELL, 100)
    assert settled(holding(position()), {"A": CALM}, order, rules=FUTURES).account.held == {}


def test_an_order_to_close_never_opens_what_a_session_settled_meanwhile_has_closed() -> None:
    order = decide(0.1, holding(position()))
    late = settled(holding(position()), {"A": Bar(97, 98, 96, 97)}, session=BEFORE, rules=FUTURES).account
    assert late.held == {}
    settlement = settled(late, {"A": CALM}, order, rules=limited(FUTURES, cool_down_sessions=0))
    assert settlement.account.held == {}
    assert [one.reason for one in settlement.events if one.kind is EventKind.UNFILLED] == [Unfilled.NOT_HELD]


@pytest.mark.parametrize(("held", "probability"), [(position(), 0.1), (short(), 0.9)])
def test_an_order_to_open_never_closes_what_a_session_settled_meanwhile_has_opened(
    held: Position, probability: float
) -> None:
    order = decide(probability, holding())
    settlement = settled(holding(held), {"A": CALM}, order, rules=FUTURES)
    assert settlement.account.held == holding(held).held


def test_a_short_has_its_stop_above_and_its_target_below_the_fill_after_slippage() -> None:
    rules = limited(COSTLY, product="futures")
    (held,) = settled(open_account(LIMITS), {"A": CALM}, signal(action=Action.SELL), rules=rules).account.positions
    assert held.direction is Direction.SHORT
    assert held.entry_price == pytest.approx(99.5)
    assert held.stop_price == pytest.approx(99.5 * 1.02)
    assert held.target_price == pytest.approx(99.5 * 0.96)


@pytest.mark.parametrize(
    ("bar", "price", "reason"),
    [
        (Bar(100, 103, 99, 100), 102, ExitReason.STOP),
        (Bar(105, 106, 104, 105), 105, ExitReason.STOP),
        (Bar(100, 101, 95, 97), 96, ExitReason.TARGET),
        (Bar(94, 99, 93, 95), 94, ExitReason.TARGET),
        (Bar(100, 103, 95, 97), 102, ExitReason.STOP),
    ],
)
def test_a_short_leaves_at_its_stop_or_target_the_worse_where_both_were_touched(
    bar: Bar, price: float, reason: ExitReason
) -> None:
    (trade,) = settled(holding(short()), {"A": bar}, rules=FUTURES).trades
    assert (trade.exit_price, trade.exit_reason, trade.direction) == (price, reason, Direction.SHORT)
    assert trade.profit == 100 * (100 - price)


def test_a_stop_of_a_short_slips_upwards_and_its_target_does_not() -> None:
    rules = limited(COSTLY, product="futures")
    (stopped,) = settled(holding(short()), {"A": Bar(100, 103, 99, 100)}, rules=rules).trades
    (reached,) = settled(holding(short()), {"A": Bar(100, 101, 95, 97)}, rules=rules).trades
    assert stopped.exit_price == pytest.approx(102 * 1.005)
    assert reached.exit_price == 96


price = st.floats(80, 125)


@given(st.tuples(price, price, price, price), st.booleans())
def test_a_short_is_filled_as_a_long_in_a_world_upside_down(prices: tuple[float, ...], last: bool) -> None:
    bar = Bar(prices[0], max(prices), min(prices), prices[3])
    turned = Bar(*(200 - value for value in (bar.open, bar.low, bar.high, bar.close)))
    long = fill_exits(turned, stop=98.0, target=104.0, last=last)
    rules = limited(product="futures", max_holding_sessions=2 if last else 250)
    fill = exit_fill(short(), bar, ordered=False, rules=rules)
    expected = None if long.price != long.price else pytest.approx(200 - float(long.price))
    assert (fill and fill[0]) == expected
    if fill:
        assert (fill[1] is ExitReason.STOP, fill[1] is ExitReason.TARGET) == (bool(long.stopped), bool(long.on_target))


def test_without_leverage_a_short_needs_its_worth_in_cash_that_nothing_stands_for() -> None:
    account = holding(short(quantity=300), cash=80_000.0)
    assert (account.equity, account.exposure, account.free_cash) == (50_000, 30_000, 20_000)
    rules = limited(FUTURES, max_drawdown_pct=100)
    settlement = settled(account, {"B": CALM}, signal("B", Action.SELL, quantity=300), rules=rules)
    assert settlement.account.held == {"A": -300, "B": -200}
    none_left = settled(settlement.account, {"C": CALM}, signal("C"), rules=rules)
    assert none_left.account.held == {"A": -300, "B": -200}
    assert [one.reason for one in none_left.events if one.kind is EventKind.UNFILLED] == [Unfilled.NO_CASH]


def test_an_account_that_owes_more_than_it_owns_is_wound_up_and_trades_no_more() -> None:
    account = holding(short(quantity=500), position("B", quantity=10), cash=99_000.0)
    assert account.equity == 50_000
    settlement = settled(account, {"A": Bar(350, 360, 300, 310), "B": CALM}, rules=FUTURES)
    assert settlement.account.positions == ()
    assert (settlement.mark.cash, settlement.mark.equity, settlement.mark.drawdown_pct) == (0, 0, 100)
    (bankrupt,) = [one for one in settlement.events if one.kind is EventKind.BANKRUPT]
    assert bankrupt.amount == pytest.approx(500 * 350 - 99_000 - 10 * 100.5)
    assert [(trade.symbol, trade.exit_price) for trade in settlement.trades] == [("A", 350), ("B", 100.5)]
    again = settlement.account
    for days in range(1, 30):  # the halt of the drawdown begins and ends on nothing
        again = settled(again, {"A": CALM}, rules=FUTURES, session=SESSION + timedelta(days=days)).account
    assert decide(0.1, again).reasons == (Reason.NO_CAPITAL,)
    assert (again.equity, again.drawdown_pct) == (0, 0)


def test_futures_are_charged_as_futures_on_both_sides() -> None:
    asked: list[tuple[Side, Product]] = []

    class Fees(TradingRules):
        def fees(self, side: Side, value: float, *, session: object, product: Product) -> float:
            asked.append((side, product))
            return 1.0

    rules = Fees(FUTURES.limits, FUTURES.costs)
    (trade,) = settled(holding(), {"A": Bar(100, 103, 99, 100)}, signal(action=Action.SELL), rules=rules).trades
    assert trade.cost == 2.0
    assert (asked[0], asked[-1]) == ((Side.SELL, Product.FUTURES), (Side.BUY, Product.FUTURES))


def test_a_short_that_can_earn_its_whole_price_is_refused() -> None:
    with pytest.raises(ValidationError, match="a short cannot earn that, set it below 100"):
        RiskLimits(product="futures", take_profit_pct=100)
