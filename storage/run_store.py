"""The ledger of jobs: a session that no run is done for is due."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, select

from storage.rows import insert_rows, raw_columns, record_columns, row_of
from storage.tables import Origin, runs


class RunStatus(StrEnum):
    """How far a run came."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    NO_DATA = "no_data"
    """Settled without a bar that was waited for in vain."""


CLOSED = (RunStatus.DONE, RunStatus.NO_DATA)
"""What has such a run is not due any more."""


@dataclass(frozen=True, slots=True)
class Run:
    """One job for one session: `kind` is settle or decide."""

    origin: Origin
    kind: str
    session: date
    status: RunStatus
    started_at: datetime
    finished_at: datetime | None = None
    detail: str = ""
    """What it did, or why it failed, in a line."""
    configuration: str | None = None
    """Digest of what it was done by; None for a run from before configurations were kept."""
    bars_known_at: datetime | None = None
    """It knew every bar seen until then and, but for late ones, none seen later."""
    events_known: int | None = None
    """How many events of the paper account had made it what it was."""
    code_version: str | None = None
    late_known_at: datetime | None = None
    """Of a session that was settled again: until then it knew the bars that had come after `bars_known_at`, too."""


def start_run(conn: Connection, origin: Origin, kind: str, session: date, *, at: datetime) -> Run:
    """The run, kept as running since `at`: for `finish_run`. An earlier try at the same job is replaced."""
    run = Run(origin, kind, session, RunStatus.RUNNING, started_at=at)
    write_runs(conn, [run])
    return run


def finish_run(
    conn: Connection, run: Run, *, at: datetime, status: RunStatus = RunStatus.DONE, detail: str = ""
) -> Run:
    """The run as ended. Use the transaction that keeps its results, so that done means they are there."""
    ended = replace(run, status=status, finished_at=at, detail=detail)
    write_runs(conn, [ended])
    return ended


def write_runs(conn: Connection, written: Iterable[Run]) -> None:
    """Keeps the runs; an earlier one of the same origin, kind and session is replaced."""
    rows = [row_of(run) for run in written]
    if rows:
        names = ("origin", "kind", "session")
        keys = [{f"of_{name}": row[name] for name in names} for row in rows]
        conn.execute(runs.delete().where(*(runs.c[name] == bindparam(f"of_{name}") for name in names)), keys)
        insert_rows(conn, runs, rows)


def done_runs(conn: Connection, origin: Origin, kind: str) -> set[date]:
    """The sessions that this kind of job is done for, with all bars or without."""
    # The driver's own rows: a daemon asks at every look, and after ten years there are thousands.
    (sessions,) = raw_columns(conn, _done(origin, kind))
    return set(map(date.fromisoformat, sessions))


def recently_done(conn: Connection, origin: Origin, kind: str, *, until: date, newest: int) -> list[date]:
    """The sessions up to `until` that this kind of job is done for, oldest first, at most the `newest` of them."""
    query = _done(origin, kind).where(runs.c.session <= until).order_by(runs.c.session.desc()).limit(newest)
    return list(conn.scalars(query))[::-1]


def newest_done(conn: Connection, origin: Origin, kind: str) -> date | None:
    """The newest session that this kind of job is done for; None before the first. It reads one row."""
    newest: date | None = conn.scalar(_done(origin, kind).order_by(runs.c.session.desc()).limit(1))
    return newest


def unsettled_sessions(conn: Connection, origin: Origin) -> list[date]:
    """The sessions that are decided and newer than the newest settled one, oldest first.

    An older one is never settled any more: it left the calendar.
    """
    settled = newest_done(conn, origin, "settle") or date.min
    return list(conn.scalars(_done(origin, "decide").where(runs.c.session > settled).order_by(runs.c.session)))


def first_decision(conn: Connection, origin: Origin) -> datetime | None:
    """When the first session was decided, which no later one changes; None before it."""
    first = select(runs.c.started_at).where(runs.c.origin == origin, runs.c.kind == "decide")
    at: datetime | None = conn.scalar(first.where(runs.c.status.in_(CLOSED)).order_by(runs.c.session).limit(1))
    return at


def _done(origin: Origin, kind: str) -> Select[Any]:
    return select(runs.c.session).filter_by(origin=origin, kind=kind).where(runs.c.status.in_(CLOSED))


def failed_runs(conn: Connection, origin: Origin) -> list[Run]:
    """The jobs whose last attempt failed, oldest session first."""
    query = select(*record_columns(Run, runs)).filter_by(origin=origin, status=RunStatus.FAILED)
    return [_run(row) for row in conn.execute(query.order_by(runs.c.session, runs.c.kind))]


def runs_without_data(conn: Connection, origin: Origin, *, since: date) -> list[Run]:
    """The runs of the sessions from `since` on that waited for bars in vain, oldest first."""
    query = select(*record_columns(Run, runs)).filter_by(origin=origin, status=RunStatus.NO_DATA)
    return [_run(row) for row in conn.execute(query.where(runs.c.session >= since).order_by(runs.c.session))]


def read_run(conn: Connection, origin: Origin, kind: str, session: date) -> Run | None:
    """The last attempt at one job; None before the first."""
    query = select(*record_columns(Run, runs)).filter_by(origin=origin, kind=kind, session=session)
    row = conn.execute(query).first()
    return None if row is None else _run(row)


def newest_done_run(conn: Connection, origin: Origin, kind: str) -> Run | None:
    """The run of the newest session that this kind of job is done for; None before the first."""
    query = select(*record_columns(Run, runs)).filter_by(origin=origin, kind=kind).where(runs.c.status.in_(CLOSED))
    row = conn.execute(query.order_by(runs.c.session.desc()).limit(1)).first()
    return None if row is None else _run(row)


def read_runs(conn: Connection, origin: Origin, *, kind: str | None = None, newest: int = 20) -> list[Run]:
    """The runs of the newest sessions, at most `newest`, newest session first, then in order of kind."""
    query = select(*record_columns(Run, runs)).where(runs.c.origin == origin)
    if kind is not None:
        query = query.where(runs.c.kind == kind)
    return [_run(row) for row in conn.execute(query.order_by(runs.c.session.desc(), runs.c.kind).limit(newest))]


def runs_between(conn: Connection, origin: Origin, first: date, last: date) -> list[Run]:
    """The runs of the sessions first to last that are done, in order of session and kind."""
    query = select(*record_columns(Run, runs)).where(runs.c.origin == origin, runs.c.status.in_(CLOSED))
    chosen = query.where(runs.c.session.between(first, last)).order_by(runs.c.session, runs.c.kind)
    return [_run(row) for row in conn.execute(chosen)]


def _run(row: Row[Any]) -> Run:
    kept = row._asdict()
    return Run(**kept | {"status": RunStatus(kept["status"])})
