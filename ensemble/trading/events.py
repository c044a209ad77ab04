"""What happened to the paper account, one event after the other: the account is the fold of them, and nothing else."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from functools import reduce
from typing import TypeVar

from ensemble.trading.holdings import Account, Cause, Direction, Hold, Position, Receivable
from ensemble.trading.signals import Reason

Number = TypeVar("Number", int, float)


class EventKind(StrEnum):
    """What happened; docs/account.md says which columns of an event belong to each."""

    OPENED = "OPENED"
    CARRIED = "CARRIED"
    ENTERED = "ENTERED"
    EXITED = "EXITED"
    UNFILLED = "UNFILLED"
    SPLIT = "SPLIT"
    CASH_IN_LIEU = "CASH_IN_LIEU"
    EX_DIVIDEND = "EX_DIVIDEND"
    DIVIDEND_PAID = "DIVIDEND_PAID"
    DIVIDEND = "DIVIDEND"
    DEMERGER = "DEMERGER"
    MARKED = "MARKED"
    BANKRUPT = "BANKRUPT"
    HALTED = "HALTED"
    RESUMED = "RESUMED"
    SETTLED = "SETTLED"
    REOPENED = "REOPENED"


class Unfilled(StrEnum):
    """Why an order came to nothing."""

    NO_BAR = "NO_BAR"
    LOCKED = "LOCKED"
    OUT_OF_SCALE = "OUT_OF_SCALE"
    NO_PLACE = "NO_PLACE"
    NO_CASH = "NO_CASH"
    ABOVE_LIMIT = "ABOVE_LIMIT"
    NOT_HELD = "NOT_HELD"
    DRAWDOWN_HALT = "DRAWDOWN_HALT"
    DAILY_LOSS = "DAILY_LOSS"
    COOL_DOWN = "COOL_DOWN"
    KILL_SWITCH = "KILL_SWITCH"


class EventError(ValueError):
    """An event that cannot follow: it was numbered out of turn, or lacks what its kind needs."""


@dataclass(frozen=True, slots=True)
class AccountEvent:
    """One thing that happened to the account. What a kind has no use for is empty."""

    session: date
    number: int
    """Its place among the account's events, from 1."""
    kind: EventKind
    symbol: str | None = None
    direction: Direction | None = None
    quantity: int = 0
    """Shares traded, ordered, or held after a split."""
    price: float | None = None
    """Of one share: paid, received, marked, or credited."""
    amount: float | None = None
    """In currency: the fees of an entry or exit, else the cash that came (negative: went), or the equity."""
    bar_open: float | None = None
    """Of the entry's bar, before slippage."""
    stop_price: float | None = None
    target_price: float | None = None
    factor: float | None = None
    """Shares after a split for each one before; what a dividend leaves of the price."""
    sessions: int | None = None
    """How many sessions a halt lasts; of a position carried over, how many it was held before."""
    reason: str | None = None
    """A word of Unfilled, ExitReason or Reason."""
    note: str | None = None
    """What a person said."""
    commanded_at: datetime | None = None
    """Of a halt or its end by command, UTC; None for what a settlement did."""
    cause: Cause | None = None
    """Of a kill switch and its end."""
    kept: int | None = None
    """Of REOPENED: how many events still hold; what came after them, up to this one, is void."""


PAID_AFTER = timedelta(days=30)
"""From the ex-date: Indian companies must pay within 30 days of the declaration (Companies Act 2013, section 127). Kept
events are read by this: another delay is another kind of event."""
NOTHING = Account(cash=0.0, positions=(), peak_equity=0.0)
"""The account before its first event."""


def apply(account: Account, event: AccountEvent) -> Account:
    """The account after `event`. Raises EventError for one out of turn, of what is not held, or not whole.

    One that reopens follows the last event that it keeps, so what is void must have been left out: see `standing`.
    """
    follows = event.number - 1 if event.kept is None else event.kept
    if follows != account.n_events:
        raise EventError(f"event {event.number} came after {account.n_events} others; it must be the next.")
    made = _RULES[event.kind](account, event)
    # Here and where the rules of each session say `Account(...)`: `replace` takes five times as long.
    return Account(made.cash, made.positions, made.peak_equity, made.holds, made.receivables, event.number)


def replay_events(events: Iterable[AccountEvent]) -> Account:
    """The account that `events`, which are all so far in order of their numbers, come to. Raises EventError."""
    told = list(events)
    return reduce(apply, standing(told, told), NOTHING)


def standing(events: Iterable[AccountEvent], reopenings: Iterable[AccountEvent]) -> Iterator[AccountEvent]:
    """Those of `events`, in order, that no REOPENED has made void; `reopenings` holds all of that kind, in order.

    A REOPENED stands itself, unless a later one has made it void.
    """
    void = list(reversed(_void(reopenings)))
    for event in events:
        while void and event.number >= void[-1].stop:
            void.pop()
        if not void or event.number not in void[-1]:
            yield event


def _void(reopenings: Iterable[AccountEvent]) -> list[range]:
    """The numbers of the events that hold no more, oldest first."""
    found: list[range] = []
    for event in reversed([one for one in reopenings if one.kind is EventKind.REOPENED]):
        if not found or event.number < found[-1].start:
            found.append(range(_given(event, event.kept) + 1, event.number))
    return found[::-1]


def _opened(account: Account, event: AccountEvent) -> Account:
    cash = _given(event, event.amount)
    return replace(account, cash=cash, peak_equity=max(account.peak_equity, cash))


def _carried(account: Account, event: AccountEvent) -> Account:
    """An earlier version kept no events: this is the cash that it left."""
    return replace(account, cash=_given(event, event.amount))


def _entered(account: Account, event: AccountEvent) -> Account:
    price, fees = _given(event, event.price), _given(event, event.amount)
    direction = event.direction or Direction.LONG
    entered = Position(
        symbol=_symbol(event),
        quantity=event.quantity,
        entry_session=event.session,
        entry_price=price,
        stop_price=_given(event, event.stop_price),
        target_price=_given(event, event.target_price),
        entry_cost=fees,
        sessions_held=event.sessions or 0,
        last_close=price,
        last_session=event.session,
        entry_open=_given(event, event.bar_open),
        direction=direction,
    )
    positions = tuple(sorted((*account.positions, entered), key=lambda position: position.symbol))
    cash = account.cash - (direction.sign * event.quantity * price + fees)
    return Account(cash, positions, account.peak_equity, account.holds, account.receivables)


def _exited(account: Account, event: AccountEvent) -> Account:
    gone = _held(account, event)
    value = gone.direction.sign * gone.quantity * _given(event, event.price)
    left = tuple([position for position in account.positions if position.symbol != gone.symbol])
    cash = account.cash + (value - _given(event, event.amount))
    return Account(cash, left, account.peak_equity, account.holds, account.receivables)


def _split(account: Account, event: AccountEvent) -> Account:
    """The position in new shares; what a fraction of one cost leaves its income, its price comes as cash in lieu."""
    old, factor = _held(account, event), _given(event, event.factor)
    entry_price = old.entry_price / factor
    fraction = old.quantity * factor - event.quantity
    scaled = replace(
        old,
        quantity=event.quantity,
        entry_price=entry_price,
        stop_price=old.stop_price / factor,
        target_price=old.target_price / factor,
        last_close=old.last_close / factor,
        entry_open=old.entry_open / factor,
        income=old.income - old.direction.sign * fraction * entry_price,
    )
    return _with(account, scaled)


def _paid(account: Account, event: AccountEvent) -> Account:
    """Cash for what is held."""
    held, amount = _held(account, event), _given(event, event.amount)
    return _with(replace(account, cash=account.cash + amount), replace(held, income=held.income + amount))


def _ex_dividend(account: Account, event: AccountEvent) -> Account:
    """Of a share that is held: worth of the account from now on, cash once it is paid."""
    amount, held = _given(event, event.amount), _held(account, event)
    factor = held.dividend_factor * _given(event, event.factor)
    earned = _with(account, replace(held, income=held.income + amount, dividend_factor=factor))
    due = Receivable(held.symbol, amount, event.session + PAID_AFTER)
    return replace(earned, receivables=(*account.receivables, due))


def _dividend_paid(account: Account, event: AccountEvent) -> Account:
    """Cash for the oldest dividend of that amount that is due, whether its share is still held or not."""
    named = (_symbol(event), _given(event, event.amount))
    due = next((one for one in account.receivables if (one.symbol, one.amount) == named), None)
    if due is None:
        raise EventError(f"event {event.number}, {event.kind}, pays {named[1]} of {named[0]}, which is not due.")
    left = list(account.receivables)
    left.remove(due)
    return replace(account, cash=account.cash + due.amount, receivables=tuple(left))


def _dividend(account: Account, event: AccountEvent) -> Account:
    paid = _paid(account, event)
    held = _held(paid, event)
    return _with(paid, replace(held, dividend_factor=held.dividend_factor * _given(event, event.factor)))


def _demerger(account: Account, event: AccountEvent) -> Account:
    """What was worth so much a share is cash now; stop, target and last close are that much lower."""
    paid, value = _paid(account, event), _given(event, event.price)
    held = _held(paid, event)
    prices = ("stop_price", "target_price", "last_close")
    # A price stays one, however much of the company goes.
    lowered = {name: max(getattr(held, name) - value, getattr(held, name) / 100) for name in prices}
    return _with(paid, replace(held, **lowered))


def _marked(account: Account, event: AccountEvent) -> Account:
    return _with(account, _held(account, event).marked(event.session, _given(event, event.price)))


def _bankrupt(account: Account, event: AccountEvent) -> Account:
    """What the account owes and cannot pay is written off. Exactly nothing is left, whatever a sum was rounded to."""
    _given(event, event.amount)
    return replace(account, cash=0.0, receivables=())


def _halted(account: Account, event: AccountEvent) -> Account:
    reason, note = Reason(event.reason or ""), event.note or ""
    new = Hold(reason, event.session, event.symbol, sessions_left=event.sessions, note=note, cause=event.cause)
    others = [hold for hold in account.holds if _key(hold) != _key(new)]
    return replace(account, holds=tuple(sorted((*others, new), key=_key)))


def _resumed(account: Account, event: AccountEvent) -> Account:
    """Ends the halt of that reason, symbol, note and cause. A kill switch, which may be let go while its session goes
    on, ends with the session named.
    """
    named = (event.reason, event.symbol, event.note or "", event.cause, None)
    found = [(hold, (hold.reason, hold.symbol, hold.note, hold.cause, hold.until)) for hold in account.holds]
    ended = [hold for hold, key in found if key == named]
    others = tuple(hold for hold in account.holds if hold not in ended)
    if event.reason == Reason.KILL_SWITCH:
        return replace(account, holds=(*others, *(replace(hold, until=event.session) for hold in ended)))
    peak = _given(event, event.amount) if event.reason == Reason.DRAWDOWN_HALT else account.peak_equity
    return replace(account, holds=others, peak_equity=peak)


def _settled(account: Account, event: AccountEvent) -> Account:
    later = [_a_session_later(hold, event.session) for hold in account.holds]
    holds = tuple([hold for hold in later if hold.until is None or hold.until > event.session])
    peak = max(account.peak_equity, _given(event, event.amount))
    return Account(account.cash, account.positions, peak, holds, account.receivables)


def _a_session_later(hold: Hold, session: date) -> Hold:
    if hold.sessions_left is None or hold.since >= session:
        return hold
    return replace(hold, sessions_left=hold.sessions_left - 1)


def _reopened(account: Account, event: AccountEvent) -> Account:
    """Nothing is left to take back. Where not even the first event is kept, the account is opened by this one."""
    return account if event.amount is None else _opened(account, event)


def _unchanged(account: Account, event: AccountEvent) -> Account:
    return account


_RULES: Mapping[EventKind, Callable[[Account, AccountEvent], Account]] = {
    EventKind.OPENED: _opened,
    EventKind.CARRIED: _carried,
    EventKind.ENTERED: _entered,
    EventKind.EXITED: _exited,
    EventKind.UNFILLED: _unchanged,
    EventKind.SPLIT: _split,
    EventKind.CASH_IN_LIEU: _paid,
    EventKind.EX_DIVIDEND: _ex_dividend,
    EventKind.DIVIDEND_PAID: _dividend_paid,
    EventKind.DIVIDEND: _dividend,
    EventKind.DEMERGER: _demerger,
    EventKind.MARKED: _marked,
    EventKind.BANKRUPT: _bankrupt,
    EventKind.HALTED: _halted,
    EventKind.RESUMED: _resumed,
    EventKind.SETTLED: _settled,
    EventKind.REOPENED: _reopened,
}


def _key(hold: Hold) -> tuple[str, ...]:
    """Two holds with one key are one; a kill switch that was let go and thrown again is two."""
    until = "" if hold.until is None else hold.until.isoformat()
    return hold.reason, hold.symbol or "", hold.note, hold.cause or "", until


def _given(event: AccountEvent, value: Number | None) -> Number:
    if value is None:
        raise EventError(f"event {event.number}, {event.kind}, lacks a number that its kind needs.")
    return value


def _symbol(event: AccountEvent) -> str:
    if event.symbol is None:
        raise EventError(f"event {event.number}, {event.kind}, names no symbol.")
    return event.symbol


def _held(account: Account, event: AccountEvent) -> Position:
    held = account.position(_symbol(event))
    if held is None:
        raise EventError(f"event {event.number}, {event.kind}, is about {event.symbol}, which is not held.")
    return held


def _with(account: Account, changed: Position) -> Account:
    """The account with this position in place of the one of its symbol."""
    positions = tuple([changed if one.symbol == changed.symbol else one for one in account.positions])
    return Account(account.cash, positions, account.peak_equity, account.holds, account.receivables)
