"""What is still to go into the bucket: in the outbox beside the messages, one order at most, since a later one has all.

An order is named by what it is to bring there, so that nothing is ordered twice, also after a restart.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, delete, or_, select, update

from storage.outbox_store import Notice, Parcel, is_due
from storage.outbox_table import CLOUD, outbox
from storage.rows import insert_rows

KIND = "push"
_NOTHING_TRIED = {
    "channel": CLOUD,
    "kind": KIND,
    "payload": {"title": "", "body": ""},
    "sent_at": None,
    "attempts": 0,
}


@dataclass(frozen=True, slots=True)
class MirrorState:
    """How far the bucket is."""

    mirrored_at: datetime | None = None
    """When it had all that was there; None when it never had."""
    what: str = ""
    """That it had then, or None of it."""
    waiting_since: datetime | None = None
    """Since when it lacks something; None when it lacks nothing."""
    attempts: int = 0
    """In vain, since then."""
    why: str = ""
    """The last one's failure."""


def order_push(conn: Connection, key: str, *, at: datetime) -> None:
    """Orders that what `key` names be brought into the bucket, unless that was the last order.

    It takes the place of one that waits, and its patience: a bucket that is away is not asked more often for that.
    """
    sent, waiting = _orders(conn)
    newest = waiting or sent
    if newest is not None and newest.key == key:
        return
    row = dict(_NOTHING_TRIED, created_at=at, next_attempt_at=at) if waiting is None else dict(waiting._mapping)
    replaced = or_(outbox.c.sent_at.is_(None), outbox.c.key == key)
    conn.execute(delete(outbox).where(outbox.c.channel == CLOUD, replaced))
    insert_rows(conn, outbox, [row | {"key": key}])


def ordered_last(conn: Connection) -> str | None:
    """What the last order was named; None before the first."""
    sent, waiting = _orders(conn)
    newest = waiting or sent
    return None if newest is None else str(newest.key)


def due_order(conn: Connection, *, now: datetime) -> Parcel | None:
    """The order that may be tried by `now`, if there is one."""
    _, row = _orders(conn)
    if row is None or not is_due(row.next_attempt_at, now):
        return None
    return Parcel(Notice(row.key, KIND, row.payload["title"], row.payload["body"]), CLOUD, row.created_at, row.attempts)


def mark_pushed(conn: Connection, key: str, *, at: datetime) -> None:
    """The bucket has what `key` names. An order that has taken its place meanwhile waits on."""
    this = and_(outbox.c.channel == CLOUD, outbox.c.key == key)
    if conn.execute(update(outbox).where(this).values(sent_at=at)).rowcount:
        earlier = and_(outbox.c.channel == CLOUD, outbox.c.key != key, outbox.c.sent_at.is_not(None))
        conn.execute(delete(outbox).where(earlier))


def note_pushed(conn: Connection, key: str, *, at: datetime) -> None:
    """The same of what nobody had ordered."""
    if key:
        order_push(conn, key, at=at)
        mark_pushed(conn, key, at=at)


def put_push_off(conn: Connection, order: Parcel, *, why: str, until: datetime) -> None:
    """One more attempt was in vain, also of an order that has taken its place meanwhile."""
    conn.execute(
        update(outbox)
        .where(outbox.c.channel == CLOUD, outbox.c.sent_at.is_(None))
        .values(attempts=order.attempts + 1, next_attempt_at=until, payload={"title": "", "body": why})
    )


def read_mirror(conn: Connection) -> MirrorState:
    """How far the bucket is, as of the last attempt."""
    sent, waiting = _orders(conn)
    mirrored = MirrorState() if sent is None else MirrorState(sent.sent_at, sent.key)
    if waiting is None:
        return mirrored
    return replace(
        mirrored, waiting_since=waiting.created_at, attempts=waiting.attempts, why=str(waiting.payload["body"])
    )


def _orders(conn: Connection) -> tuple[Row[Any] | None, Row[Any] | None]:
    """The one that was carried out last, and the one that waits."""
    rows = conn.execute(select(outbox).where(outbox.c.channel == CLOUD).order_by(outbox.c.sent_at)).all()
    sent, waiting = ([row for row in rows if (row.sent_at is None) is waits] for waits in (False, True))
    return (sent[-1] if sent else None), (waiting[0] if waiting else None)
