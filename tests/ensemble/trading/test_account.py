import math
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ensemble.fills import is_locked
from ensemble.trading.account import (
    Account,
    ExitReason,
    Position,
    Settlement,
    open_account,
    settle,
)
from ensemble.trading.costs import Costs
from ensemble.trading.limits import RiskLimits
from ensemble.trading.rules import TradingRules
from ensemble.trading.session_bars import Bar, SessionBars
from ensemble.trading.signals import Action, Quote, Reason, Signal, SignalOptions, Situation, decide_signals

SESSION = date(2021, 10, 1)
LIMITS = RiskLimits(max_positions=3, max_holding_sessions=3, initial_capital=100_000)
FREE = TradingRules(LIMITS, Costs(commission_bp=0, slippage_bp=0))
COSTLY = TradingRules(LIMITS, Costs(commission_bp=100, slippage_bp=50))
CALM = Bar(100, 101, 99, 100.5)


def signal(symbol: str = "A", action: Action = Action.BUY, quantity: int = 100, **changes: Any) -> Signal:
    usual = Signal(
        session=SESSION,
        symbol=symbol,
        label="open_to_close",
        action=action,
        probability=0.8,
        confidence=0.8,
        quantity=quantity,
        reference_price=100.0,
        stop_loss_pct=2.0,
        take_profit_pct=4.0,
        reasons=(Reason.CONFIDENT,),
        late=False,
        actionable=True,
    )
    return replace(usual, **changes)


def position(symbol: str = "A", **changes: Any) -> Position:
    """100 shares bought at 100 the session before."""
    usual = Position(
        symbol=symbol,
        quantity=100,
        entry_session=SESSION - timedelta(days=1),
        entry_price=100.0,
        stop_price=98.0,
        target_price=104.0,
        entry_cost=0.0,
        sessions_held=1,
        last_close=100.0,
    )
    return replace(usual, **changes)


def holding(*positions: Position, cash: float = 50_000.0) -> Account:
    account = Account(cash=cash, positions=positions, peak_equity=0.0)
    return replace(account, peak_equity=account.equity)


def settled(account: Account, bars: dict[str, Bar], *signals: Signal, rules: TradingRules = FREE) -> Settlement:
    return settle(account, session=SESSION, bars=bars, signals=signals, rules=rules)


def test_a_fresh_account_is_all_cash() -> None:
    account = open_account(LIMITS)
    assert (account.cash, account.equity, account.exposure, account.held) == (100_000, 100_000, 0, {})


def test_a_buyer_enters_at_the_open_and_is_marked_at_the_close() -> None:
    settlement = settled(open_account(LIMITS), {"A": CALM}, signal())
    assert settlement.account.positions == (
        position(entry_session=SESSION, entry_price=100, last_close=100.5, sessions_held=1),
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
    (trade,) = settled(holding(position()), bars, signal(action=Action.SELL)).trades
    assert (trade.exit_price, trade.exit_reason, trade.profit) == (101, ExitReason.SIGNAL, 100)


def test_a_sell_signal_without_a_position_does_nothing() -> None:
    account = open_account(LIMITS)
    assert settled(account, {"A": CALM}, signal(action=Action.SELL)).account == account


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


def test_cash_short_of_the_last_share_by_a_rounding_error_does_not_buy_it() -> None:
    rules = replace(FREE, costs=Costs(commission_bp=12, slippage_bp=0))
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
    settlement = settled(holding(position()), bars, signal("A", Action.SELL), signal("B"), rules=rules)
    assert settlement.account.positions == ()
    penniless = settled(holding(position(), cash=0.0), bars, signal("A", Action.SELL), signal("B"))
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
    frame = pd.DataFrame({"open": [1.0, 2], "high": [1.5, 2.5], "low": [0.5, 1.5], "close": [1.1, 2.1]}, index)
    assert SessionBars({"A": frame, "B": frame.iloc[:1]}).on(SESSION) == {"A": Bar(2, 2.5, 1.5, 2.1)}


# A few symbols over a few sessions, traded as the daemon trades them: decide, then settle.
SYMBOLS = ("A", "B", "C", "D")
price = st.floats(80, 125)
bar = st.tuples(price, price, price, price).map(lambda p: Bar(p[0], max(p), min(p), p[3]))
Day = tuple[dict[str, float], dict[str, Bar]]
day = st.tuples(
    st.fixed_dictionaries({symbol: st.sampled_from([0.05, 0.2, 0.8, 0.9]) for symbol in SYMBOLS}),
    st.dictionaries(st.sampled_from(SYMBOLS), bar, min_size=2),
)
days = st.lists(day, min_size=1, max_size=8)
any_rules = st.builds(
    TradingRules,
    limits=st.builds(
        RiskLimits,
        stop_loss_pct=st.sampled_from([0.01, 2.0, 10.0]),
        position_pct=st.sampled_from([10.0, 45.0, 100.0]),
        max_positions=st.integers(1, 4),
        max_holding_sessions=st.integers(1, 4),
        lot_size=st.sampled_from([1, 7]),
        initial_capital=st.sampled_from([150.0, 10_000.0]),
    ),
    costs=st.builds(Costs, commission_bp=st.floats(0, 1_000), slippage_bp=st.floats(0, 1_000)),
)


def decided(account: Account, session: date, probabilities: dict[str, float], limits: RiskLimits) -> list[Signal]:
    closes = {symbol: Quote(100.0, 1) for symbol in SYMBOLS}
    now = Situation(session, False, account.cash, account.equity, account.held, closes)
    return list(decide_signals(probabilities, now, options=SignalOptions(), limits=limits))


def trade_through(path: list[Day], rules: TradingRules, *, backwards: bool = False) -> list[Settlement]:
    account, settlements = open_account(rules.limits), []
    for number, (probabilities, bars) in enumerate(path):
        session = SESSION + timedelta(days=number)
        signals, today = decided(account, session, probabilities, rules.limits), bars
        if backwards:
            signals, today = signals[::-1], dict(reversed(bars.items()))
            account = replace(account, positions=account.positions[::-1])
        settlements.append(settle(account, session=session, bars=today, signals=signals, rules=rules))
        account = settlements[-1].account
    return settlements


@given(days, any_rules)
@settings(deadline=None, max_examples=50)
def test_cash_is_never_negative_and_positions_never_too_many(path: list[Day], rules: TradingRules) -> None:
    for settlement in trade_through(path, rules):
        assert settlement.account.cash >= 0
        assert len(settlement.account.positions) <= rules.limits.max_positions
        assert all(held.quantity % rules.limits.lot_size == 0 for held in settlement.account.positions)


@given(days, any_rules)
@settings(deadline=None, max_examples=50)
def test_equity_is_cash_and_positions_at_their_last_known_closes(path: list[Day], rules: TradingRules) -> None:
    closes: dict[str, float] = {}
    for (_, bars), settlement in zip(path, trade_through(path, rules), strict=True):
        closes |= {symbol: today.close for symbol, today in bars.items()}
        worth = sum(quantity * closes[symbol] for symbol, quantity in settlement.account.held.items())
        mark = settlement.mark
        assert mark.equity == pytest.approx(mark.cash + worth)
        assert mark.exposure == pytest.approx(worth)
        assert 0 <= mark.drawdown_pct <= 100
        assert mark.positions == len(settlement.account.positions)


@given(days, any_rules)
@settings(deadline=None, max_examples=50)
def test_the_cash_gained_is_the_profit_of_the_trades_less_what_is_tied_up(path: list[Day], rules: TradingRules) -> None:
    settlements = trade_through(path, rules)
    profit = sum(trade.profit for settlement in settlements for trade in settlement.trades)
    held = settlements[-1].account.positions
    tied_up = sum(own.quantity * own.entry_price + own.entry_cost for own in held)
    expected = rules.limits.initial_capital + profit - tied_up
    assert settlements[-1].account.cash == pytest.approx(expected, abs=1e-6)


@given(days, any_rules)
@settings(deadline=None, max_examples=50)
def test_the_order_of_symbols_is_irrelevant(path: list[Day], rules: TradingRules) -> None:
    assert trade_through(path, rules, backwards=True) == trade_through(path, rules)


@given(days, any_rules)
@settings(deadline=None, max_examples=50)
def test_a_stop_never_fills_better_than_an_open_beyond_it(path: list[Day], rules: TradingRules) -> None:
    for (_, bars), settlement in zip(path, trade_through(path, rules), strict=True):
        for trade in settlement.trades:
            if trade.exit_reason is ExitReason.STOP:
                assert trade.exit_price <= bars[trade.symbol].open
                assert trade.exit_price < trade.entry_price


@given(days, any_rules)
@settings(deadline=None, max_examples=50)
def test_a_trade_never_outlasts_its_holding_time(path: list[Day], rules: TradingRules) -> None:
    for (_, bars), settlement in zip(path, trade_through(path, rules), strict=True):
        for held in settlement.account.positions:
            locked = held.symbol in bars and bool(is_locked(bars[held.symbol]))
            missing = held.symbol not in bars
            assert held.sessions_held < rules.limits.max_holding_sessions or locked or missing
