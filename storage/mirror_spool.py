"""What is still to go into the bucket: in the outbox beside the messages, one order at most, since a later one has all.

An order is named by what it is to bring there, so that nothing is ordered twice, also after a restart.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, select, update

from storage.outbox_store import Notice, Parcel
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
    orders = conn.execute(select(outbox).where(outbox.c.channel == CLOUD).order_by(outbox.c.created_at)).all()
    if orders and orders[-1].key == key:
        return
    waiting = next((order for order in orders if order.sent_at is None), None)
    row = dict(_NOTHING_TRIED, created_at=at, next_attempt_at=at) if waiting is None else dict(waiting._mapping)
    sent = [order.key for order in orders if order.sent_at is not None and order.key != key]
    conn.execute(delete(outbox).where(outbox.c.channel == CLOUD, outbox.c.key.not_in(sent[-1:])))
    insert_rows(conn, outbox, [row | {"key": key}])


def due_order(conn: Connection, *, now: datetime) -> Parcel | None:
    """The order that may be tried by `now`, if there is one."""
    waiting = select(outbox).where(outbox.c.channel == CLOUD, outbox.c.sent_at.is_(None))
    row = conn.execute(waiting.where(outbox.c.next_attempt_at <= now)).first()
    if row is None:
        return None
    return Parcel(Notice(row.key, KIND, row.payload["title"], row.payload["body"]), CLOUD, row.created_at, row.attempts)


def mark_pushed(conn: Connection, key: str, *, at: datetime) -> None:
    """The bucket has what `key` names. An order that has taken its place meanwhile waits on."""
    conn.execute(update(outbox).where(outbox.c.channel == CLOUD, outbox.c.key == key).values(sent_at=at))


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
    sent = waiting = None
    for row in conn.execute(select(outbox).where(outbox.c.channel == CLOUD).order_by(outbox.c.created_at)):
        sent, waiting = (sent, row) if row.sent_at is None else (row, waiting)
    mirrored = MirrorState() if sent is None else MirrorState(sent.sent_at, sent.key)
    if waiting is None:
        return mirrored
    return MirrorState(
        mirrored.mirrored_at, mirrored.what, waiting.created_at, waiting.attempts, waiting.payload["body"]
    )
