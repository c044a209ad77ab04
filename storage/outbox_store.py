"""What is to be told elsewhere: kept with the work it tells of, sent later, each to each channel until it is taken."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, delete, func, select, update

from storage.outbox_table import CLOUD, outbox
from storage.rows import insert_rows

MOST_WAITING = 1000
"""Of all channels; the oldest make room. A week without any of them is some fifty."""
LONGEST_WAIT = timedelta(hours=6)
"""Between two attempts; one that is further off was put off by a clock that was wrong."""
KEPT_AFTER = timedelta(days=30)
"""Sent ones stay for so long, so that the same is not said again."""


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing to say; the key names it for ever, so that it is said once."""

    key: str
    kind: str
    title: str
    body: str


@dataclass(frozen=True, slots=True)
class Parcel:
    """One notice on its way to one channel."""

    notice: Notice
    channel: str
    created_at: datetime
    attempts: int
    """How often it was sent in vain."""


def add_notice(conn: Connection, channels: Iterable[str], notice: Notice, *, at: datetime) -> None:
    """Keeps the notice for each channel; one whose key is there already is not kept again."""
    told = set(conn.scalars(select(outbox.c.channel).where(outbox.c.key == notice.key)))
    rows = [
        {
            "key": notice.key,
            "channel": channel,
            "kind": notice.kind,
            "payload": {"title": notice.title, "body": notice.body},
            "created_at": at,
            "sent_at": None,
            "attempts": 0,
            "next_attempt_at": at,
        }
        for channel in dict.fromkeys(channels)
        if channel not in told
    ]
    if insert_rows(conn, outbox, rows):
        _make_room(conn, at)


def due_parcels(conn: Connection, *, now: datetime) -> list[Parcel]:
    """What may be tried by `now`: of each channel the oldest alone, to keep the order."""
    waiting = select(outbox).where(_waits())
    first: dict[str, Row[Any]] = {}
    for row in conn.execute(waiting.order_by(outbox.c.created_at, outbox.c.key, outbox.c.channel)):
        first.setdefault(row.channel, row)
    return [_parcel(row) for row in first.values() if is_due(row.next_attempt_at, now)]


def is_due(next_attempt_at: datetime, now: datetime) -> bool:
    """What was put off until then may be tried at `now`."""
    return not now < next_attempt_at <= now + LONGEST_WAIT


def mark_sent(conn: Connection, parcel: Parcel, *, at: datetime) -> None:
    """The channel has it."""
    conn.execute(update(outbox).where(_is(parcel)).values(sent_at=at))


def put_off(conn: Connection, parcel: Parcel, *, until: datetime) -> None:
    """One more attempt was in vain: neither it nor what waits behind it is tried before `until`."""
    conn.execute(update(outbox).where(_is(parcel)).values(attempts=parcel.attempts + 1, next_attempt_at=until))


def drop(conn: Connection, parcel: Parcel) -> None:
    """Nobody will have it."""
    conn.execute(delete(outbox).where(_is(parcel)))


def count_waiting(conn: Connection) -> int:
    """How many parcels are not sent yet."""
    return conn.scalar(select(func.count()).select_from(outbox).where(_waits())) or 0


def _parcel(row: Row[Any]) -> Parcel:
    notice = Notice(row.key, row.kind, row.payload["title"], row.payload["body"])
    return Parcel(notice, row.channel, row.created_at, row.attempts)


def _is(parcel: Parcel) -> ColumnElement[bool]:
    return and_(outbox.c.key == parcel.notice.key, outbox.c.channel == parcel.channel)


def _waits() -> ColumnElement[bool]:
    """A message that is not sent yet."""
    return and_(outbox.c.sent_at.is_(None), outbox.c.channel != CLOUD)


def _make_room(conn: Connection, at: datetime) -> None:
    conn.execute(delete(outbox).where(outbox.c.sent_at < at - KEPT_AFTER, outbox.c.channel != CLOUD))
    newest = (outbox.c.created_at.desc(), outbox.c.key.desc(), outbox.c.channel)
    waiting = select(outbox.c.key, outbox.c.channel).where(_waits())
    for key, channel in conn.execute(waiting.order_by(*newest).offset(MOST_WAITING)).all():
        conn.execute(delete(outbox).where(outbox.c.key == key, outbox.c.channel == channel))
