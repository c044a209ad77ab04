import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ensemble.trading.account import open_account
from ensemble.trading.events import (
    NOTHING,
    AccountEvent,
    EventError,
    EventKind,
    Unfilled,
    apply,
    replay_events,
    standing,
)
from ensemble.trading.holdings import Direction
from ensemble.trading.journal import Journal
from ensemble.trading.session_bars import Bar
from tests.ensemble.trading.builders import CALM, LIMITS, SESSION, holding, position, settled, signal

ENTERED: dict[str, Any] = {
    "direction": Direction.LONG,
    "quantity": 10,
    "price": 100.0,
    "amount": 1.0,
    "bar_open": 99.9,
    "stop_price": 98.0,
    "target_price": 104.0,
}


def event(number: int, kind: EventKind, symbol: str | None = None, **what: Any) -> AccountEvent:
    return AccountEvent(SESSION, number, kind, symbol, **what)


def test_every_kind_of_event_and_every_reason_for_an_unfilled_order_is_explained() -> None:
    page = (Path(__file__).parents[3] / "docs" / "account.md").read_text(encoding="utf-8")
    assert [word for word in (*EventKind, *Unfilled) if not re.search(rf"\b{word}\b", page)] == []


def test_the_first_session_opens_the_account_with_its_capital() -> None:
    events = settled(open_account(LIMITS), {"A": CALM}).events
    assert [one.kind for one in events] == [EventKind.OPENED, EventKind.SETTLED]
    assert events[0] == event(1, EventKind.OPENED, amount=100_000.0)
    assert replay_events(events[:1]) == open_account(LIMITS)


def test_a_session_is_told_in_the_order_it_happened() -> None:
    account = settled(open_account(LIMITS), {"A": CALM}, signal()).account
    bars = {"A": Bar(97, 99, 96, 98), "B": CALM, "C": CALM}
    buyers = [signal("B", confidence=0.8, quantity=10), signal("C", confidence=0.9, quantity=10), signal("D")]
    events = settled(account, bars, *buyers, session=SESSION).events
    assert [(one.kind, one.symbol) for one in events] == [
        (EventKind.ENTERED, "C"),
        (EventKind.ENTERED, "B"),
        (EventKind.UNFILLED, "D"),
        (EventKind.EXITED, "A"),
        (EventKind.MARKED, "B"),
        (EventKind.MARKED, "C"),
        (EventKind.HALTED, "A"),
        (EventKind.SETTLED, None),
    ]
    assert [one.number for one in events] == list(range(account.n_events + 1, account.n_events + 9))


def test_an_entry_costs_its_worth_and_its_fees_and_an_exit_brings_them() -> None:
    opened = apply(NOTHING, event(1, EventKind.OPENED, amount=2_000.0))
    held = apply(opened, event(2, EventKind.ENTERED, "A", **ENTERED))
    assert (held.cash, held.held, held.exposure) == (999.0, {"A": 10}, 1_000.0)
    gone = apply(held, event(3, EventKind.EXITED, "A", quantity=10, price=101.0, amount=2.0))
    assert (gone.cash, gone.positions, gone.n_events) == (999.0 + 1_008.0, (), 3)


def test_a_short_brings_its_worth_at_the_entry_and_costs_it_at_the_exit() -> None:
    opened = apply(NOTHING, event(1, EventKind.OPENED, amount=2_000.0))
    short = ENTERED | {"direction": Direction.SHORT}
    held = apply(opened, event(2, EventKind.ENTERED, "A", **short))
    assert (held.cash, held.held, held.equity, held.exposure) == (2_999.0, {"A": -10}, 1_999.0, 1_000.0)
    assert held.free_cash == 999.0
    gone = apply(held, event(3, EventKind.EXITED, "A", quantity=10, price=90.0, amount=2.0))
    assert gone.cash == 2_000 + 100 - 3


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (event(1, EventKind.SETTLED, amount=1.0), "event 1 came after 1 others; it must be the next"),
        (event(3, EventKind.SETTLED, amount=1.0), "event 3 came after 1 others"),
        (event(2, EventKind.EXITED, "B", price=1.0, amount=1.0), "about B, which is not held"),
        (event(2, EventKind.MARKED, "A"), "about A, which is not held"),
        (event(2, EventKind.SETTLED), "lacks a number"),
        (event(2, EventKind.ENTERED, **ENTERED), "names no symbol"),
        (event(2, EventKind.ENTERED, "A", **ENTERED | {"price": None}), "lacks a number"),
    ],
)
def test_an_event_that_can_not_follow_is_refused(wrong: AccountEvent, said: str) -> None:
    opened = apply(NOTHING, event(1, EventKind.OPENED, amount=2_000.0))
    with pytest.raises(EventError, match=said):
        apply(opened, wrong)


def test_an_account_carried_over_has_the_cash_and_the_peak_that_it_had() -> None:
    told: list[AccountEvent] = [
        event(1, EventKind.OPENED, amount=1_200.0),
        replace(event(2, EventKind.ENTERED, "A", sessions=2, **ENTERED), session=date(2021, 9, 28)),
        event(3, EventKind.MARKED, "A", price=99.0),
        event(4, EventKind.CARRIED, amount=77.0),
        event(5, EventKind.SETTLED, amount=1_067.0),
    ]
    account = replay_events(told)
    held = account.positions[0]
    assert (account.cash, account.peak_equity, account.equity) == (77.0, 1_200.0, 1_067.0)
    assert (held.entry_session, held.sessions_held, held.last_close) == (date(2021, 9, 28), 3, 99.0)


def test_a_journal_of_an_account_with_a_history_does_not_open_it_again() -> None:
    account = settled(holding(position()), {"A": CALM}).account
    commanded_at = datetime(2021, 10, 1, 12, tzinfo=UTC)
    journal = Journal(account, SESSION + timedelta(days=3), commanded_at=commanded_at)
    assert not journal.events
    journal.write(EventKind.CARRIED, amount=5.0)
    assert journal.account.cash == 5.0
    assert journal.events[0].number == account.n_events + 1
    assert journal.events[0].commanded_at == commanded_at


def marked(number: int, price: float) -> AccountEvent:
    return event(number, EventKind.MARKED, "A", price=price)


def reopened(number: int, kept: int, amount: float | None = None) -> AccountEvent:
    return event(number, EventKind.REOPENED, kept=kept, amount=amount)


def test_what_a_reopening_makes_void_has_never_been() -> None:
    opened = [event(1, EventKind.OPENED, amount=2_000.0), event(2, EventKind.ENTERED, "A", **ENTERED)]
    gone = event(4, EventKind.EXITED, "A", quantity=10, price=101.0, amount=2.0)
    told = [*opened, marked(3, 100.5), gone, reopened(5, kept=3)]
    account = replay_events(told)
    assert account == replay_events(told[:3])
    assert account.n_events == 5
    assert apply(account, marked(6, 99.0)).positions[0].last_close == 99.0
    with pytest.raises(EventError, match="event 5 came after 4 others"):
        apply(replay_events(told[:4]), told[4])


def test_an_account_of_which_nothing_is_kept_is_opened_again() -> None:
    told = [event(1, EventKind.OPENED, amount=2_000.0), event(2, EventKind.SETTLED, amount=2_000.0)]
    assert replay_events([*told, reopened(3, kept=0, amount=2_000.0)]) == replay_events(told[:1])


@given(st.lists(st.floats(0, 1, exclude_max=True) | st.none(), max_size=30))
def test_a_reopening_leads_back_to_the_account_that_the_events_it_keeps_had_made(story: list[float | None]) -> None:
    """Of each number so far the account as it was; a fraction goes back to one of those that stand, None goes on."""
    told = [event(1, EventKind.OPENED, amount=2_000.0), event(2, EventKind.ENTERED, "A", **ENTERED)]
    stand, accounts = [2], {2: replay_events(told)}
    for step in story:
        number = len(told) + 1
        if step is None:
            told.append(marked(number, float(number)))
            accounts[number] = apply(accounts[number - 1], told[-1])
        else:
            place = int(step * len(stand))
            kept, stand = stand[place], stand[: place + 1]
            told.append(reopened(number, kept))
            accounts[number] = replace(accounts[kept], n_events=number)
        stand.append(number)
        assert replay_events(told) == accounts[number]
        assert replay_events(told).n_events == number
    assert [one.number for one in standing(told, told)] == [1, *stand]
