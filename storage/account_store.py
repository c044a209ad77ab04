"""The paper account: its events, which make it, and what people look at: positions, trades, marks.

The account is rebuilt from its events at the start of a process; afterwards only what is new is read. Either way it
must come to what was kept of the newest settled session, or nobody goes on with it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from math import isclose
from typing import Any

from sqlalchemy import Connection, Row, delete, select

from ensemble.trading.account import (
    Account,
    AccountMark,
    Direction,
    ExitReason,
    Position,
    Settlement,
    Trade,
    mark_of,
)
from ensemble.trading.events import NOTHING, AccountEvent, EventError, EventKind, apply, standing
from ensemble.trading.holdings import Cause
from storage.account_tables import account, account_events, positions, trades
from storage.errors import StoreError
from storage.rows import insert_records, record_columns
from storage.tables import Origin

_EQUAL_WITHIN = 1e-9
"""Relative: what the order of an addition does to a sum."""
_MARK_FIELDS = ("cash", "equity", "exposure", "positions", "peak_equity", "drawdown_pct", "receivable")


@dataclass(frozen=True, slots=True)
class _Read:
    """An account so far, and the same when it was settled last."""

    account: Account = NOTHING
    settled: Account | None = None


@dataclass(frozen=True, slots=True)
class AccountBook:
    """The accounts of one database as this process has read them."""

    _read: dict[Origin, _Read] = field(default_factory=dict)

    def read(self, conn: Connection, origin: Origin) -> Account | None:
        """The account as its events make it, None before the first. Raises StoreError where what was kept differs.

        Only events that are new since the last call are read, so it takes a millisecond.
        """
        before = self._read.get(origin, _Read())
        events = list(read_events(conn, origin, after=before.account.n_events))
        if before.account.n_events > 0 and any(event.kind is EventKind.REOPENED for event in events):
            before, events = _Read(), list(read_events(conn, origin))  # what is void now has been folded already
        read = _folded(before, standing(events, events), origin)
        if read.account.n_events == 0:
            return None
        if read.settled is not None:
            _compare(conn, origin, read.settled)
        self._read[origin] = read
        return read.account


def read_account(conn: Connection, origin: Origin) -> Account | None:
    """The account rebuilt from all its events, None before the first. Raises StoreError where what was kept differs."""
    return AccountBook().read(conn, origin)


def read_events(
    conn: Connection, origin: Origin, *, after: int = 0, kind: EventKind | None = None
) -> Iterator[AccountEvent]:
    """The account's events in order, from the one after number `after` on: all, void ones too, or those of one kind."""
    query = select(*record_columns(AccountEvent, account_events)).where(account_events.c.origin == origin)
    if kind is not None:
        query = query.where(account_events.c.kind == kind)
    in_order = query.where(account_events.c.number > after).order_by(account_events.c.number)
    return map(_event, conn.execute(in_order))


def write_settlement(conn: Connection, origin: Origin, *settled: Settlement) -> None:
    """Keeps one session settled after the other: the newest positions replace the old, the rest is added.

    A session that is settled already makes the transaction fail.
    """
    conn.execute(delete(positions).where(positions.c.origin == origin))
    insert_records(conn, positions, settled[-1].account.positions, origin=origin)
    insert_records(conn, trades, [trade for one in settled for trade in one.trades], origin=origin)
    insert_records(conn, account, [one.mark for one in settled], origin=origin)
    write_events(conn, origin, [event for one in settled for event in one.events])


def take_back(conn: Connection, origin: Origin, first: date) -> None:
    """Removes what settlements from session `first` on left to look at, so that they can be settled again.

    Their events stay: a REOPENED says that they are void.
    """
    conn.execute(delete(trades).where(trades.c.origin == origin, trades.c.exit_session >= first))
    conn.execute(delete(account).where(account.c.origin == origin, account.c.session >= first))


def write_events(conn: Connection, origin: Origin, events: Iterable[AccountEvent]) -> None:
    """Adds the events. A number that is there already makes the transaction fail."""
    insert_records(conn, account_events, list(events), origin=origin)


def read_trades(conn: Connection, origin: Origin) -> list[Trade]:
    """Every closed position, in order of exit, entry and symbol."""
    query = select(*record_columns(Trade, trades)).where(trades.c.origin == origin)
    in_order = query.order_by(trades.c.exit_session, trades.c.entry_session, trades.c.symbol)
    return [_trade(row) for row in conn.execute(in_order)]


def read_positions(conn: Connection, origin: Origin) -> list[Position]:
    """What is held after the newest settled session, in order of symbols, as it was kept."""
    query = select(*record_columns(Position, positions)).where(positions.c.origin == origin)
    return [_position(row) for row in conn.execute(query.order_by(positions.c.symbol))]


def read_marks(conn: Connection, origin: Origin) -> list[AccountMark]:
    """The account's marks in order of their sessions."""
    query = select(*record_columns(AccountMark, account)).where(account.c.origin == origin)
    return [AccountMark(*row) for row in conn.execute(query.order_by(account.c.session))]


def newest_mark(conn: Connection, origin: Origin, *, before: date | None = None) -> AccountMark | None:
    """The account's last mark, of a session earlier than `before`; None where there is none. It reads one row."""
    query = select(*record_columns(AccountMark, account)).where(account.c.origin == origin)
    if before is not None:
        query = query.where(account.c.session < before)
    row = conn.execute(query.order_by(account.c.session.desc()).limit(1)).first()
    return None if row is None else AccountMark(*row)


def _folded(read: _Read, events: Iterable[AccountEvent], origin: Origin) -> _Read:
    now, settled = read.account, read.settled
    try:
        for event in events:
            now = apply(now, event)
            if event.kind is EventKind.SETTLED:
                settled = now
    except EventError as error:
        raise StoreError(f"the events of the {origin} account do not follow each other: {error} {_REMEDY}") from error
    return _Read(now, settled)


_REMEDY = "Restore a backup of the database; nothing was done."


def _compare(conn: Connection, origin: Origin, rebuilt: Account) -> None:
    """Raises StoreError, naming the first figure that is not what the events make it."""
    kept = newest_mark(conn, origin)
    if kept is None:
        raise _differs(origin, "mark", "missing", "one")
    made = mark_of(rebuilt, kept.session)
    for name in _MARK_FIELDS:
        if not isclose(getattr(kept, name), getattr(made, name), rel_tol=_EQUAL_WITHIN, abs_tol=_EQUAL_WITHIN):
            raise _differs(origin, name, getattr(kept, name), getattr(made, name))
    for held, rebuilt_position in _pairs(read_positions(conn, origin), rebuilt.positions):
        if held != rebuilt_position:
            symbol = (held or rebuilt_position or held).symbol  # type: ignore[union-attr]  # one of the two is there
            raise _differs(origin, f"position in {symbol}", held, rebuilt_position)


def _pairs(kept: Iterable[Position], made: Iterable[Position]) -> Iterator[tuple[Position | None, Position | None]]:
    left, right = ({position.symbol: position for position in positions} for positions in (kept, made))
    return ((left.get(symbol), right.get(symbol)) for symbol in sorted({*left, *right}))


def _differs(origin: Origin, name: str, kept: object, made: object) -> StoreError:
    return StoreError(f"the {origin} account's {name} was kept as {kept}; its events make it {made}. {_REMEDY}")


def _event(row: Row[Any]) -> AccountEvent:
    kept = row._asdict()
    direction = None if kept["direction"] is None else Direction(kept["direction"])
    cause = None if kept["cause"] is None else Cause(kept["cause"])
    return AccountEvent(**kept | {"kind": EventKind(kept["kind"]), "direction": direction, "cause": cause})


def _position(row: Row[Any]) -> Position:
    kept = row._asdict()
    return Position(**kept | {"direction": Direction(kept["direction"])})


def _trade(row: Row[Any]) -> Trade:
    kept = row._asdict()
    return Trade(**kept | {"exit_reason": ExitReason(kept["exit_reason"]), "direction": Direction(kept["direction"])})
