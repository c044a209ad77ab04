import math
from dataclasses import replace
from datetime import date, timedelta

import pandas as pd
import pytest

from ensemble.trading.account import Account, ExitReason, open_account
from ensemble.trading.costs import Costs, Product, Schedule, Side
from ensemble.trading.events import EventKind, Unfilled
from ensemble.trading.rules import TradingRules
from ensemble.trading.session_bars import Bar, SessionBars
from ensemble.trading.signals import Action
from tests.ensemble.trading.builders import (
    CALM,
    COSTLY,
    FREE,
    LIMITS,
    SESSION,
    holding,
    leaving,
    limited,
    position,
    settled,
    signal,
)


def test_a_fresh_account_is_all_cash() -> None:
    account = open_account(LIMITS)
    assert (account.cash, account.equity, account.exposure, account.held) == (100_000, 100_000, 0, {})


def test_a_buyer_enters_at_the_open_and_is_marked_at_the_close() -> None:
    settlement = settled(open_account(LIMITS), {"A": CALM}, signal())
    assert settlement.account.positions == (
        position(entry_session=SESSION, entry_price=100, last_close=100.5, last_session=SESSION),
    )
    mark = settlement.mark
    assert (mark.cash, mark.exposure, mark.equity, mark.positions) == (90_000, 10_050, 100_050, 1)
    assert (mark.peak_equity, mark.drawdown_pct) == (100_050, 0)


def test_stop_and_target_are_set_from_the_fill_after_slippage() -> None:
    (held,) = settled(open_account(LIMITS), {"A": CALM}, signal(), rules=COSTLY).account.positions
    assert held.entry_price == pytest.approx(100.5)
    assert held.stop_price == pytest.approx(100.5 * 0.98)
    assert held.target_price == pytest.approx(100.5 * 1.04)
    assert held.entry_cost == pytest.approx(100.5)


def test_the_entry_bar_is_live() -> None:
    settlement = settled(open_account(LIMITS), {"A": Bar(100, 103, 97, 102)}, signal())
    (trade,) = settlement.trades
    assert (trade.entry_session, trade.exit_session, trade.exit_reason) == (SESSION, SESSION, ExitReason.STOP)
    assert trade.profit == -200
    assert settlement.account.cash == 99_800


def test_an_open_through_the_stop_costs_what_it_costs() -> None:
    (trade,) = settled(holding(position()), {"A": Bar(90, 95, 89, 94)}).trades
    assert (trade.exit_price, trade.exit_reason, trade.profit) == (90, ExitReason.STOP, -1_000)


def test_a_target_is_a_limit_order_and_does_not_slip() -> None:
    (trade,) = settled(holding(position()), {"A": Bar(100, 105, 99, 101)}, rules=COSTLY).trades
    assert (trade.exit_price, trade.exit_reason) == (104, ExitReason.TARGET)


def test_a_stop_slips() -> None:
    (trade,) = settled(holding(position()), {"A": Bar(100, 101, 97, 98)}, rules=COSTLY).trades
    assert trade.exit_price == pytest.approx(98 * 0.995)


def test_profit_is_after_the_commission_of_both_sides() -> None:
    (trade,) = settled(holding(position(entry_cost=100.0)), {"A": Bar(100, 105, 99, 101)}, rules=COSTLY).trades
    assert trade.cost == pytest.approx(100 + 104)
    assert trade.profit == pytest.approx(400 - 204)


def test_a_position_leaves_at_the_close_of_its_last_session() -> None:
    (trade,) = settled(holding(position(sessions_held=2)), {"A": CALM}).trades
    assert (trade.exit_price, trade.exit_reason) == (100.5, ExitReason.TIME)


def test_a_holding_time_of_one_session_leaves_at_the_entrys_close() -> None:
    limits = LIMITS.model_copy(update={"max_holding_sessions": 1})
    settlement = settled(open_account(LIMITS), {"A": CALM}, signal(), rules=replace(FREE, limits=limits))
    assert [trade.exit_reason for trade in settlement.trades] == [ExitReason.TIME]


def test_a_sell_signal_leaves_at_the_open_whatever_comes_later() -> None:
    bars = {"A": Bar(101, 120, 80, 90)}
    (trade,) = settled(holding(position()), bars, leaving()).trades
    assert (trade.exit_price, trade.exit_reason, trade.profit) == (101, ExitReason.SIGNAL, 100)


def test_a_sell_signal_without_a_position_does_nothing() -> None:
    account = open_account(LIMITS)
    assert settled(account, {"A": CALM}, leaving()).account == account


@pytest.mark.parametrize("action", [Action.BUY, Action.SELL])
def test_a_symbol_without_a_bar_fills_nothing_and_does_not_age(action: Action) -> None:
    account = holding(position(last_close=99.0))
    settlement = settled(account, {}, signal("A", action), signal("B", action))
    assert settlement.account == account
    assert settlement.trades == ()
    assert settlement.mark.exposure == 9_900


def test_a_signal_that_is_not_actionable_is_not_traded() -> None:
    account = open_account(LIMITS)
    assert settled(account, {"A": CALM}, signal(late=True, actionable=False)).account == account


def test_what_is_held_is_not_bought_again() -> None:
    (held,) = settled(holding(position()), {"A": CALM}, signal()).account.positions
    assert held.quantity == 100


def test_a_gap_up_buys_only_as_many_whole_lots_as_the_cash_pays_for() -> None:
    rules = replace(COSTLY, limits=LIMITS.model_copy(update={"lot_size": 10}))
    account = holding(cash=10_000.0)
    settlement = settled(account, {"A": Bar(110, 111, 109, 110)}, signal(), rules=rules)
    (held,) = settlement.account.positions
    assert held.quantity == 80  # 89 shares at 110.55 and 1 % commission are affordable
    assert settlement.account.cash == pytest.approx(10_000 - 80 * 110.55 * 1.01)


def test_a_gap_up_buys_fewer_shares_so_that_the_position_is_worth_no_more_than_it_may() -> None:
    order = signal(value_limit=10_000.0)
    (held,) = settled(open_account(LIMITS), {"A": Bar(110, 111, 109, 110)}, order).account.positions
    assert (held.quantity, held.quantity * held.entry_price) == (90, 9_900)


def test_a_gap_down_buys_no_more_than_was_ordered() -> None:
    order = signal(value_limit=10_000.0)
    (held,) = settled(open_account(LIMITS), {"A": Bar(90, 91, 89.5, 90)}, order).account.positions
    assert held.quantity == 100


def test_an_open_at_which_one_lot_is_worth_more_than_it_may_buys_nothing() -> None:
    order = signal(value_limit=10_000.0)
    rules = limited(lot_size=100)
    settlement = settled(open_account(LIMITS), {"A": Bar(100.5, 101, 100, 100)}, order, rules=rules)
    assert [one.reason for one in settlement.events if one.kind is EventKind.UNFILLED] == [Unfilled.ABOVE_LIMIT]


def test_orders_that_were_decided_before_a_session_came_late_keep_to_the_exposure_that_it_left() -> None:
    rules = limited(max_exposure_pct=20)
    settlement = settled(holding(position("B")), {"A": CALM}, signal(quantity=150), rules=rules)
    assert settlement.account.held == {"A": 20, "B": 100}  # a fifth of 60,000, of which 10,000 are in B


def test_cash_short_of_the_last_share_by_a_rounding_error_does_not_buy_it() -> None:
    rules = replace(FREE, costs=Costs(schedule=Schedule.FLAT, commission_bp=12, slippage_bp=0))
    account = holding(cash=math.nextafter(100 * 94.6 * 1.0012, 0))  # cash // price says 100 shares
    settlement = settled(account, {"A": Bar(94.6, 95, 94, 94.6)}, signal(), rules=rules)
    assert settlement.account.held == {"A": 99}


def test_the_surest_buyer_gets_the_cash_first() -> None:
    account = holding(cash=15_000.0)
    sure, less_sure = signal("B", confidence=0.9), signal("A", confidence=0.8)
    settlement = settled(account, {"A": CALM, "B": CALM}, less_sure, sure)
    assert settlement.account.held == {"A": 50, "B": 100}


def test_a_buyer_without_cash_stays_out() -> None:
    settlement = settled(holding(cash=99.0), {"A": CALM}, signal())
    assert settlement.account.positions == ()
    assert settlement.account.cash == 99


def test_a_sale_of_the_same_session_helps_no_buyer() -> None:
    rules = replace(FREE, limits=LIMITS.model_copy(update={"max_positions": 1}))
    bars = {"A": CALM, "B": CALM}
    settlement = settled(holding(position()), bars, leaving(), signal("B"), rules=rules)
    assert settlement.account.positions == ()
    penniless = settled(holding(position(), cash=0.0), bars, leaving(), signal("B"))
    assert penniless.account.positions == ()


def test_drawdown_is_measured_from_the_highest_mark() -> None:
    account = replace(holding(position(), cash=0.0), peak_equity=12_000.0)
    mark = settled(account, {"A": Bar(99, 99.5, 98.5, 99)}).mark
    assert (mark.equity, mark.peak_equity) == (9_900, 12_000)
    assert mark.drawdown_pct == pytest.approx(17.5)


def test_a_signal_of_another_session_is_refused() -> None:
    with pytest.raises(ValueError, match="was for 2021-09-30; settling takes only 2021-10-01"):
        settled(open_account(LIMITS), {}, signal(session=date(2021, 9, 30)))


def test_two_signals_of_one_symbol_are_refused() -> None:
    with pytest.raises(ValueError, match="A had two signals"):
        settled(open_account(LIMITS), {}, signal("A"), signal("A", Action.SELL))


def test_the_bars_of_a_session_leave_out_who_has_none() -> None:
    index = pd.DatetimeIndex(["2021-09-30", "2021-10-01"], name="session")
    prices = {"open": [1.0, 2], "high": [1.5, 2.5], "low": [0.5, 1.5], "close": [1.1, 2.1], "adj_close": [1.0, 2.0]}
    frame = pd.DataFrame(prices, index)
    assert SessionBars({"A": frame, "B": frame.iloc[:1]}).on(SESSION) == {"A": Bar(2, 2.5, 1.5, 2.1)}


@pytest.mark.parametrize(
    ("bars", "orders", "account", "why"),
    [
        ({}, ["A"], holding(), [Unfilled.NO_BAR]),
        ({"A": Bar(100, 100, 100, 100)}, ["A"], holding(), [Unfilled.LOCKED]),
        ({"A": Bar(1_000, 1_010, 990, 1_005)}, ["A"], holding(), [Unfilled.OUT_OF_SCALE]),
        ({"A": Bar(50, 51, 49, 50)}, ["A"], holding(), [Unfilled.OUT_OF_SCALE]),
        ({"A": CALM, "B": CALM}, ["A", "B"], holding(cash=10_000.0), [Unfilled.NO_CASH]),
        (
            dict.fromkeys("ABCD", CALM),
            ["B", "C", "D"],
            holding(position(), cash=100_000.0),
            [Unfilled.NO_PLACE],
        ),
    ],
)
def test_an_order_that_comes_to_nothing_says_why(
    bars: dict[str, Bar], orders: list[str], account: Account, why: list[Unfilled]
) -> None:
    settlement = settled(account, bars, *(signal(symbol) for symbol in orders))
    unfilled = [event for event in settlement.events if event.kind is EventKind.UNFILLED]
    assert [event.reason for event in unfilled] == why
    assert unfilled[-1].symbol == orders[-1]
    assert unfilled[-1].quantity == 100


def test_a_sale_without_a_bar_or_in_a_locked_one_waits_and_says_why() -> None:
    sale = leaving()
    for bars, why in (({}, Unfilled.NO_BAR), ({"A": Bar(90, 90, 90, 90)}, Unfilled.LOCKED)):
        settlement = settled(holding(position()), bars, sale)
        assert settlement.account.held == {"A": 100}
        assert [event.reason for event in settlement.events if event.kind is EventKind.UNFILLED] == [why]


def test_a_position_that_leaves_in_the_session_it_came_is_charged_as_intraday_on_both_sides() -> None:
    class Fees(TradingRules):
        def fees(self, side: Side, value: float, *, session: date, product: Product) -> float:
            return {Product.DELIVERY: 10.0, Product.INTRADAY: 2.0, Product.FUTURES: 1.0}[product]

    rules = Fees(LIMITS, Costs(schedule=Schedule.FLAT, commission_bp=0, slippage_bp=0))
    stopped = settled(holding(), {"A": Bar(100, 103, 97, 102)}, signal(), rules=rules)
    assert stopped.trades[0].cost == 4.0
    assert stopped.account.cash == 50_000 - 200 - 4
    kept = settled(holding(), {"A": CALM}, signal(), rules=rules)
    assert kept.account.positions[0].entry_cost == 10.0
    later = settled(kept.account, {"A": Bar(100, 103, 97, 102)}, rules=rules, session=SESSION + timedelta(days=1))
    assert later.trades[0].cost == 20.0


def test_a_flat_charge_beyond_what_there_is_takes_what_there_is() -> None:
    class Flat(TradingRules):
        def fees(self, side: Side, value: float, *, session: date, product: Product) -> float:
            return 16.0

    penny = position(quantity=1, entry_price=9.0, stop_price=8.8, target_price=10.0)
    settlement = settled(holding(penny, cash=2.0), {"A": Bar(8, 8.5, 7, 8)}, rules=Flat(LIMITS, FREE.costs))
    assert settlement.account.cash == 0
    assert settlement.trades[0].cost == 10.0
