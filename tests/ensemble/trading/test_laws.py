"""A few symbols over a few sessions, traded as the daemon trades them, decide and then settle: what always holds."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ensemble.fills import is_locked
from ensemble.trading.account import Account, Direction, ExitReason, Settlement, open_account, settle
from ensemble.trading.actions import HeldActions
from ensemble.trading.costs import Costs
from ensemble.trading.events import AccountEvent, EventKind, replay_events
from ensemble.trading.holdings import Hold
from ensemble.trading.limits import RiskLimits
from ensemble.trading.rules import TradingRules
from ensemble.trading.session_bars import Bar
from ensemble.trading.signals import Quote, Reason, Signal, SignalOptions, decide_signals
from ensemble.trading.situation import situation_of
from tests.ensemble.trading.builders import SESSION

SYMBOLS = ("A", "B", "C", "D")
EXACTLY = 1 + 1e-12
"""But for the last digit of a sum."""
GUARDS = (Reason.DRAWDOWN_HALT, Reason.DAILY_LOSS, Reason.COOL_DOWN, Reason.KILL_SWITCH)


@dataclass(frozen=True, slots=True)
class Day:
    """What one session brings."""

    probabilities: Mapping[str, float]
    bars: Mapping[str, Bar]
    actions: Mapping[str, HeldActions]


@dataclass(frozen=True, slots=True)
class Lived:
    """One session, and what was known before it."""

    before: Account
    quotes: Mapping[str, Quote]
    signals: tuple[Signal, ...]
    day: Day
    settlement: Settlement

    @property
    def entries(self) -> dict[str, int]:
        """Shares entered, by symbol."""
        return {one.symbol or "": one.quantity for one in self.settlement.events if one.kind is EventKind.ENTERED}


def some_bar(prices: tuple[float, float, float, float]) -> Bar:
    return Bar(prices[0], max(prices), min(prices), prices[3])


price = st.floats(80, 125)
bar = st.one_of(
    st.tuples(price, price, price, price).map(some_bar), st.builds(lambda one: Bar(one, one, one, one), price)
)
action = st.builds(
    HeldActions,
    factor=st.sampled_from([1.0, 1.0, 2.0, 1.1, 0.1]),
    dividend=st.sampled_from([0.0, 0.0, 1.5]),
    dividend_step=st.just(0.985),
    demerger=st.sampled_from([0.0, 0.0, 9.0]),
)
by_symbol = st.sampled_from(SYMBOLS)
day = st.builds(
    Day,
    st.fixed_dictionaries({symbol: st.sampled_from([0.05, 0.2, 0.8, 0.9]) for symbol in SYMBOLS}),
    st.dictionaries(by_symbol, bar, min_size=2),
    st.dictionaries(by_symbol, action, max_size=1),
)
days = st.lists(day, min_size=1, max_size=8)
quiet_days = days.map(lambda path: [replace(one, actions={}) for one in path])


def rules_of(**limits: st.SearchStrategy[object]) -> st.SearchStrategy[TradingRules]:
    varied: dict[str, st.SearchStrategy[object]] = {
        "stop_loss_pct": st.sampled_from([0.01, 2.0, 10.0]),
        "position_pct": st.sampled_from([10.0, 45.0, 100.0]),
        "max_exposure_pct": st.sampled_from([20.0, 100.0]),
        "max_symbol_exposure_pct": st.sampled_from([15.0, 100.0]),
        "max_positions": st.integers(1, 4),
        "max_holding_sessions": st.integers(1, 4),
        "sizing": st.sampled_from(["fixed", "volatility"]),
        "max_drawdown_pct": st.sampled_from([1.0, 20.0]),
        "halt_sessions": st.integers(0, 3),
        "cool_down_sessions": st.integers(0, 2),
        "max_daily_loss_pct": st.sampled_from([0.5, 5.0]),
        "lot_size": st.sampled_from([1, 7]),
        "initial_capital": st.sampled_from([150.0, 10_000.0]),
    }
    costs = st.builds(Costs, commission_bp=st.floats(0, 1_000), slippage_bp=st.floats(0, 1_000))
    return st.builds(TradingRules, limits=st.builds(RiskLimits, **varied | limits), costs=costs)


wild_price = st.floats(10, 900)
wild_bar = st.tuples(wild_price, wild_price, wild_price, wild_price).map(some_bar)
said = st.fixed_dictionaries({symbol: st.sampled_from([0.05, 0.9]) for symbol in SYMBOLS})
calm_day = st.builds(Day, said, st.just(dict.fromkeys(SYMBOLS, Bar(100, 101, 99, 100))), st.just({}))
wild_day = st.builds(Day, said, st.dictionaries(by_symbol, wild_bar, min_size=2), st.just({}))
wild_days = st.lists(st.one_of(calm_day, wild_day), min_size=2, max_size=6)
"""Prices that may be nine times as high the next day."""
cash_rules = rules_of(product=st.just("cash"))
any_rules = rules_of(product=st.sampled_from(["cash", "futures"]))
reckless_rules = rules_of(
    product=st.just("futures"),
    stop_loss_pct=st.just(50.0),
    take_profit_pct=st.just(99.0),
    position_pct=st.just(100.0),
    max_exposure_pct=st.just(100.0),
    max_symbol_exposure_pct=st.just(100.0),
    sizing=st.just("fixed"),
)
"""All of the equity in one position, and a stop that is far away."""


def trade_through(path: list[Day], rules: TradingRules, *, backwards: bool = False) -> list[Lived]:
    account, quotes, lived = open_account(rules.limits), dict.fromkeys(SYMBOLS, Quote(100.0, 1, 0.02)), []
    for number, today in enumerate(path):
        session, bars, actions = SESSION + timedelta(days=number), today.bars, today.actions
        situation = situation_of(account, session, quotes, late=False)
        signals = decide_signals(today.probabilities, situation, options=SignalOptions(), limits=rules.limits)
        if backwards:
            signals, bars = signals[::-1], dict(list(bars.items())[::-1])
            account = replace(account, positions=account.positions[::-1], holds=account.holds[::-1])
        settlement = settle(account, session=session, bars=bars, signals=signals, rules=rules, actions=actions)
        lived.append(Lived(account, dict(quotes), signals, today, settlement))
        account = settlement.account
        quotes |= {symbol: Quote(one.close, 1, 0.02) for symbol, one in bars.items()}
    return lived


lawful = settings(deadline=None, max_examples=50)


@given(days, cash_rules)
@lawful
def test_the_cash_of_a_cash_account_is_never_negative(path: list[Day], rules: TradingRules) -> None:
    assert all(one.settlement.account.cash >= 0 for one in trade_through(path, rules))


@given(wild_days, reckless_rules)
@lawful
def test_equity_is_never_negative_whatever_prices_do(path: list[Day], rules: TradingRules) -> None:
    lived = trade_through(path, rules)
    assert all(one.settlement.mark.equity >= 0 for one in lived)
    events = [event for one in lived for event in one.settlement.events]
    again = replay_events(events)
    assert again == lived[-1].settlement.account


@given(wild_days, cash_rules)
@lawful
def test_an_account_of_cash_shares_owes_nothing_whatever_prices_do(path: list[Day], rules: TradingRules) -> None:
    lived = trade_through(path, rules)
    assert all(one.settlement.account.cash >= 0 for one in lived)
    assert EventKind.BANKRUPT not in [event.kind for one in lived for event in one.settlement.events]


@given(days, any_rules)
@lawful
def test_positions_are_never_more_than_allowed(path: list[Day], rules: TradingRules) -> None:
    assert all(
        len(one.settlement.account.positions) <= rules.limits.max_positions for one in trade_through(path, rules)
    )


@given(quiet_days, any_rules)
@lawful
def test_without_a_split_shares_are_whole_lots(path: list[Day], rules: TradingRules) -> None:
    held = [own for one in trade_through(path, rules) for own in one.settlement.account.positions]
    assert all(own.quantity % rules.limits.lot_size == 0 for own in held)


@given(days, any_rules)
@lawful
def test_no_entry_is_ever_worth_more_than_its_limits_wherever_it_opens(path: list[Day], rules: TradingRules) -> None:
    limits = rules.limits
    share_pct = min(limits.position_pct, limits.max_symbol_exposure_pct)
    if limits.sizing == "volatility":
        share_pct = min(share_pct, limits.target_volatility_pct / 0.02)
    for one in trade_through(path, rules):
        equity, exposure = one.before.equity, one.before.exposure
        entered = [event for event in one.settlement.events if event.kind is EventKind.ENTERED]
        paid = [event.quantity * (event.price or 0.0) for event in entered]
        ordered = {signal.symbol: signal.quantity for signal in one.signals}
        assert all(quantity <= ordered[symbol] for symbol, quantity in one.entries.items())
        assert all(value <= equity * share_pct / 100 * EXACTLY for value in paid)
        assert not paid or exposure + sum(paid) <= equity * limits.max_exposure_pct / 100 * EXACTLY


@given(days, any_rules)
@lawful
def test_what_a_session_may_open_together_keeps_to_all_limits(path: list[Day], rules: TradingRules) -> None:
    """So a person who places each order up to its own value needs no other sum."""
    for one in trade_through(path, rules):
        allotted = sum(signal.value_limit or 0.0 for signal in one.signals)
        room = one.before.equity * rules.limits.max_exposure_pct / 100 - one.before.exposure
        assert allotted <= max(room, 0.0) * EXACTLY
        assert allotted <= max(one.before.free_cash, 0.0) * EXACTLY


@given(days, any_rules)
@lawful
def test_no_entry_needs_more_than_the_cash_that_nothing_stands_for(path: list[Day], rules: TradingRules) -> None:
    for one in trade_through(path, rules):
        entered = [event for event in one.settlement.events if event.kind is EventKind.ENTERED]
        cost = sum(event.quantity * (event.price or 0) + (event.amount or 0) for event in entered)
        moved = {name for name in one.day.actions if name in one.before.held}
        assert moved or cost <= one.before.free_cash * (1 + 1e-9)


@given(days, any_rules)
@lawful
def test_equity_is_cash_and_positions_at_their_last_known_closes(path: list[Day], rules: TradingRules) -> None:
    for one in trade_through(path, rules):
        account, mark = one.settlement.account, one.settlement.mark
        for own in account.positions:
            if own.symbol in one.day.bars:
                assert (own.last_close, own.last_session) == (one.day.bars[own.symbol].close, mark.session)
        worth = [own.direction.sign * own.quantity * own.last_close for own in account.positions]
        assert mark.equity == pytest.approx(mark.cash + mark.receivable + sum(worth))
        assert mark.exposure == pytest.approx(sum(map(abs, worth)))
        assert 0 <= mark.drawdown_pct <= 100
        assert mark.positions == len(account.positions)


@given(days, any_rules)
@lawful
def test_the_cash_gained_is_the_profit_of_the_trades_less_what_is_tied_up(path: list[Day], rules: TradingRules) -> None:
    lived = trade_through(path, rules)
    profit = sum(trade.profit for one in lived for trade in one.settlement.trades)
    held = lived[-1].settlement.account.positions
    tied_up = sum(own.direction.sign * own.quantity * own.entry_price + own.entry_cost - own.income for own in held)
    expected = rules.limits.initial_capital + profit - tied_up
    account = lived[-1].settlement.account
    assert account.cash + account.receivable == pytest.approx(expected, abs=1e-6)


@given(days, any_rules)
@lawful
def test_the_order_of_symbols_is_irrelevant(path: list[Day], rules: TradingRules) -> None:
    forwards, backwards = (trade_through(path, rules, backwards=turned) for turned in (False, True))
    assert [one.settlement for one in forwards] == [one.settlement for one in backwards]


@given(days, any_rules)
@lawful
def test_the_events_replayed_are_the_account_after_every_session(path: list[Day], rules: TradingRules) -> None:
    events: list[AccountEvent] = []
    for one in trade_through(path, rules):
        events += one.settlement.events
        again = replay_events(events)
        assert again == one.settlement.account
        assert again.n_events == one.settlement.account.n_events == len(events)


@given(days, any_rules)
@lawful
def test_a_stop_never_fills_better_than_an_open_beyond_it(path: list[Day], rules: TradingRules) -> None:
    for one in trade_through(path, rules):
        for trade in one.settlement.trades:
            if trade.exit_reason is ExitReason.STOP:
                sign = trade.direction.sign
                assert sign * trade.exit_price <= sign * one.day.bars[trade.symbol].open


@given(quiet_days, any_rules)
@lawful
def test_a_stop_is_a_loss_even_before_costs(path: list[Day], rules: TradingRules) -> None:
    for one in trade_through(path, rules):
        for trade in one.settlement.trades:
            if trade.exit_reason is ExitReason.STOP:
                assert trade.direction.sign * (trade.exit_price - trade.entry_price) < 0


@given(days, any_rules)
@lawful
def test_a_position_outlasts_its_holding_time_only_where_nobody_trades(path: list[Day], rules: TradingRules) -> None:
    for one in trade_through(path, rules):
        for held in one.settlement.account.positions:
            today = one.day.bars.get(held.symbol)
            nobody_trades = today is None or bool(is_locked(today))
            assert held.sessions_held < rules.limits.max_holding_sessions or nobody_trades


@given(days, any_rules)
@lawful
def test_every_session_has_a_row_and_a_reason_for_every_symbol(path: list[Day], rules: TradingRules) -> None:
    for one in trade_through(path, rules):
        assert [signal.symbol for signal in one.signals] == list(SYMBOLS)
        assert all(signal.reasons for signal in one.signals)


@given(days, any_rules)
@lawful
def test_nothing_is_entered_that_a_guard_forbids(path: list[Day], rules: TradingRules) -> None:
    for one in trade_through(path, rules):
        session = one.settlement.mark.session
        assert not any(hold.forbids(symbol, session) for symbol in one.entries for hold in one.before.holds)


@given(days, any_rules, st.sets(st.sampled_from(GUARDS), min_size=1))
@lawful
def test_no_guard_ever_keeps_a_position_from_being_closed(
    path: list[Day], rules: TradingRules, guards: set[Reason]
) -> None:
    holds = tuple(Hold(reason, SESSION) for reason in sorted(guards))
    for one in trade_through(path, rules):
        session = one.settlement.mark.session
        halted = replace(one.before, holds=holds)
        situation = situation_of(halted, session, one.quotes, late=False)
        signals = decide_signals(one.day.probabilities, situation, options=SignalOptions(), limits=rules.limits)
        closing = [signal for signal in one.signals if signal.actionable and signal.symbol in one.before.held]
        assert [signal for signal in signals if signal.actionable] == closing
        bars, actions = one.day.bars, one.day.actions
        free = settle(one.before, session=session, bars=bars, signals=closing, rules=rules, actions=actions)
        held_back = settle(halted, session=session, bars=bars, signals=signals, rules=rules, actions=actions)
        assert held_back.trades == free.trades
        assert held_back.account.positions == free.account.positions


@given(days, rules_of(product=st.just("cash")))
@lawful
def test_cash_shares_are_never_sold_short(path: list[Day], rules: TradingRules) -> None:
    held = [own for one in trade_through(path, rules) for own in one.settlement.account.positions]
    assert all(own.direction is Direction.LONG for own in held)
