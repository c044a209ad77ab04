from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from ensemble.trading.account import Account, Settlement
from ensemble.trading.events import EventKind, Unfilled
from ensemble.trading.guards import end_drawdown, forbidden_entries, let_go, throw_switch
from ensemble.trading.holdings import Cause, Hold
from ensemble.trading.journal import Journal
from ensemble.trading.session_bars import Bar
from ensemble.trading.signals import Action, Quote, Reason, Signal, SignalOptions, decide_signals
from ensemble.trading.situation import situation_of
from tests.ensemble.trading.builders import CALM, FREE, SESSION, holding, leaving, limited, position, settled, signal

STOPPED = Bar(100, 101, 97, 99)


def later(sessions: int) -> date:
    return SESSION + timedelta(days=sessions)


def decide(account: Account, session: date, probability: float = 0.9, **limits: Any) -> dict[str, Signal]:
    quotes = {symbol: Quote(100.0, 1) for symbol in ("A", "B")}
    situation = situation_of(account, session, quotes, late=False)
    said = dict.fromkeys(quotes, probability)
    signals = decide_signals(said, situation, options=SignalOptions(), limits=limited(**limits).limits)
    return {one.symbol: one for one in signals}


def through(account: Account, sessions: int, *, first: int = 1, **limits: Any) -> Settlement:
    """So many sessions without a signal later."""
    for number in range(first, first + sessions):
        settlement = settled(account, {"A": CALM, "B": CALM}, rules=limited(**limits), session=later(number))
        account = settlement.account
    return settlement


def reasons(account: Account, session: date) -> dict[str, tuple[Reason, ...]]:
    return forbidden_entries(account, ("A", "B"), session)


def kinds(settlement: Settlement) -> list[tuple[EventKind, str | None, str | None]]:
    told = (EventKind.HALTED, EventKind.RESUMED)
    return [(one.kind, one.symbol, one.reason) for one in settlement.events if one.kind in told]


@pytest.mark.parametrize("cool_down_sessions", [0, 1, 3])
def test_a_stop_keeps_its_symbol_out_for_so_many_sessions(cool_down_sessions: int) -> None:
    account = settled(holding(position()), {"A": STOPPED}, rules=limited(cool_down_sessions=cool_down_sessions)).account
    for number in range(1, cool_down_sessions + 1):
        assert reasons(account, later(number)) == {"A": (Reason.COOL_DOWN,)}
        signals = decide(account, later(number))
        assert (signals["A"].action, signals["A"].reasons) == (Action.HOLD, (Reason.COOL_DOWN,))
        assert signals["B"].action is Action.BUY
        account = through(account, 1, first=number).account
    assert reasons(account, later(cool_down_sessions + 1)) == {}
    assert account.holds == ()


def test_a_target_or_a_signal_cools_nothing_down() -> None:
    for bar, orders in ((Bar(100, 105, 99, 104), []), (CALM, [leaving()])):
        settlement = settled(holding(position()), {"A": bar}, *orders)
        assert settlement.trades
        assert settlement.account.holds == ()


def test_a_session_that_lost_too_much_lets_nothing_in_the_next_day_only() -> None:
    crash = {"A": Bar(90, 91, 89, 90)}
    lost = settled(holding(position(quantity=500)), crash, rules=limited(max_daily_loss_pct=4.9, cool_down_sessions=0))
    assert kinds(lost) == [(EventKind.HALTED, None, Reason.DAILY_LOSS)]
    signals = decide(lost.account, later(1))
    assert [(one.action, one.reasons) for one in signals.values()] == [(Action.HOLD, (Reason.DAILY_LOSS,))] * 2
    after = through(lost.account, 1)
    assert kinds(after) == [(EventKind.RESUMED, None, Reason.DAILY_LOSS)]
    assert decide(after.account, later(2))["A"].action is Action.BUY
    just_not = settled(holding(position(quantity=500)), crash, rules=limited(max_daily_loss_pct=5.0))
    assert Reason.DAILY_LOSS not in {hold.reason for hold in just_not.account.holds}


def in_drawdown(**limits: Any) -> Settlement:
    """An account of 100,000 that has fallen to 79,000 at a stop."""
    account = holding(position(quantity=500))
    return settled(account, {"A": Bar(58, 59, 57, 58)}, rules=limited(**{"cool_down_sessions": 0, **limits}))


def test_a_drawdown_halts_for_its_sessions_and_then_is_measured_anew() -> None:
    halted = in_drawdown(max_daily_loss_pct=100, halt_sessions=3)
    assert kinds(halted) == [(EventKind.HALTED, None, Reason.DRAWDOWN_HALT)]
    assert halted.mark.equity == 79_000
    assert halted.mark.drawdown_pct == pytest.approx(21)
    account = halted.account
    for number in (1, 2, 3):
        assert decide(account, later(number))["A"].reasons == (Reason.DRAWDOWN_HALT,)
        settlement = through(account, 1, first=number)
        account = settlement.account
    assert kinds(settlement) == [(EventKind.RESUMED, None, Reason.DRAWDOWN_HALT)]
    assert (settlement.mark.peak_equity, settlement.mark.drawdown_pct) == (79_000, 0)
    assert decide(account, later(4))["A"].action is Action.BUY


def test_a_drawdown_is_of_the_marked_equity_not_of_closed_trades() -> None:
    account = holding(position(quantity=500, stop_price=1.0))
    marked = settled(account, {"A": Bar(60, 61, 57, 58)}, rules=limited(max_daily_loss_pct=100))
    assert marked.trades == ()
    assert [hold.reason for hold in marked.account.holds] == [Reason.DRAWDOWN_HALT]


def test_a_halt_of_no_length_lasts_until_somebody_resumes() -> None:
    account = through(in_drawdown(max_daily_loss_pct=100, halt_sessions=0).account, 30).account
    assert reasons(account, later(40)) == dict.fromkeys("AB", (Reason.DRAWDOWN_HALT,))
    journal = Journal(account, later(40))
    assert [hold.reason for hold in end_drawdown(journal)] == [Reason.DRAWDOWN_HALT]
    assert reasons(journal.account, later(40)) == {}
    assert journal.account.peak_equity == account.equity


def test_a_second_halt_takes_a_second_drawdown() -> None:
    account = through(in_drawdown(max_daily_loss_pct=100, halt_sessions=1).account, 1).account
    held = replace(account, positions=(position("B", quantity=300, stop_price=1.0),), cash=49_000.0)
    calm = settled(held, {"B": Bar(60, 61, 55, 60)}, rules=limited(max_daily_loss_pct=100), session=later(2))
    assert [hold.reason for hold in calm.account.holds] == []
    deep = settled(held, {"B": Bar(40, 41, 35, 40)}, rules=limited(max_daily_loss_pct=100), session=later(2))
    assert [hold.reason for hold in deep.account.holds] == [Reason.DRAWDOWN_HALT]


def test_a_hundred_per_cent_never_halts() -> None:
    ruin = {"A": Bar(1, 1.1, 0.9, 1)}
    never = limited(max_daily_loss_pct=100, max_drawdown_pct=100, cool_down_sessions=0)
    assert settled(holding(position(quantity=500), cash=0.0), ruin, rules=never).account.holds == ()


def switched(account: Account, session: date = SESSION, cause: Cause = Cause.COMMAND) -> Account:
    journal = Journal(account, session)
    throw_switch(journal, cause, "why not")
    return journal.account


def test_a_kill_switch_lets_nothing_in_and_everything_out() -> None:
    account = switched(holding(position()))
    signals = decide(account, SESSION)
    assert signals["B"].reasons == (Reason.KILL_SWITCH,)
    assert signals["A"].reasons == (Reason.ALREADY_HELD,)
    leaving = decide(account, SESSION, probability=0.1)["A"]
    assert (leaving.action, leaving.quantity) == (Action.SELL, 100)
    assert settled(account, {"A": CALM}, leaving).account.positions == ()


def test_a_kill_switch_reaches_an_order_decided_before_it_but_not_an_open_before_it() -> None:
    order = signal("B")
    bars = {"A": CALM, "B": CALM}
    stopped = settled(switched(holding(position()), SESSION), bars, order)
    assert [(one.symbol, one.reason) for one in stopped.events if one.kind is EventKind.UNFILLED] == [
        ("B", Unfilled.KILL_SWITCH)
    ]
    assert settled(switched(holding(position()), later(1)), bars, order).account.held == {"A": 100, "B": 100}


def test_a_session_that_was_settled_late_halts_what_was_decided_in_the_meantime() -> None:
    late = settled(holding(position()), {"A": Bar(100, 101, 97, 98)}).account
    order = signal("A", session=later(1))
    after = settled(late, {"A": CALM}, order, session=later(1))
    assert [one.reason for one in after.events if one.kind is EventKind.UNFILLED] == [Unfilled.COOL_DOWN]
    assert settled(after.account, {"A": CALM}, signal("A", session=later(2)), session=later(2)).account.held == {
        "A": 100
    }


def test_resuming_while_a_session_is_open_does_not_undo_its_halt() -> None:
    journal = Journal(switched(holding()), later(1))
    assert len(let_go(journal, [Cause.COMMAND])) == 1
    assert settled(journal.account, {"B": CALM}, signal("B")).account.held == {}
    assert decide(journal.account, later(1))["B"].action is Action.BUY
    after = settled(journal.account, {}, session=later(1)).account
    assert after.holds == ()


def test_who_lets_go_of_a_switch_leaves_one_of_another_cause_in_the_same_words() -> None:
    account = switched(switched(holding()), cause=Cause.FILE)
    journal = Journal(account, SESSION)
    assert [hold.cause for hold in let_go(journal, [Cause.FILE])] == [Cause.FILE]
    assert reasons(journal.account, SESSION) == dict.fromkeys("AB", (Reason.KILL_SWITCH,))


def test_all_reasons_are_told_each_once() -> None:
    told = (Reason.COOL_DOWN, Reason.KILL_SWITCH, Reason.DAILY_LOSS)
    holds = (*(Hold(reason, SESSION) for reason in told), Hold(Reason.KILL_SWITCH, SESSION, note="another"))
    account = replace(holding(), holds=holds)
    assert decide(account, SESSION)["A"].reasons == (Reason.DAILY_LOSS, Reason.COOL_DOWN, Reason.KILL_SWITCH)


def test_what_is_forbidden_takes_no_place_from_the_others() -> None:
    account = replace(holding(), holds=(Hold(Reason.COOL_DOWN, SESSION, "A", sessions_left=1),))
    signals = decide(account, SESSION, max_positions=1)
    assert signals["B"].action is Action.BUY


def test_the_guards_are_part_of_the_account_that_its_events_make() -> None:
    halted = in_drawdown(max_daily_loss_pct=5.0)
    assert {hold.reason for hold in halted.account.holds} == {Reason.DRAWDOWN_HALT, Reason.DAILY_LOSS}
    assert FREE.limits.max_drawdown_pct == 20
