"""Decisions, one a session and symbol. Rows are added and never changed."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, Row, func, select, union_all

from ensemble.trading.signals import Action, Reason, Signal
from storage.rows import Instants, insert_records, record_columns
from storage.tables import Origin, forecasts, signals


def write_signals(conn: Connection, origin: Origin, decided: Sequence[Signal], *, decided_at: Instants) -> None:
    """Adds the signals. One that is there already makes the transaction fail: a decision is made once."""
    insert_records(conn, signals, decided, origin=origin, decided_at=decided_at)


def read_signals(conn: Connection, origin: Origin, session: date) -> list[Signal]:
    """The signals of one session in order of their symbols, empty where nothing was decided."""
    query = select(*record_columns(Signal, signals)).filter_by(origin=origin, session=session)
    return [_signal(row) for row in conn.execute(query.order_by(signals.c.symbol))]


def read_decision_instants(conn: Connection, origin: Origin, *, first: date, last: date) -> dict[date, datetime]:
    """When each session was decided, by session: the instant that most of its rows name, forecasts and signals."""
    rows = (
        select(table.c.session, table.c.decided_at).where(
            table.c.origin == origin, table.c.session.between(first, last)
        )
        for table in (signals, forecasts)
    )
    named = union_all(*rows).subquery()
    counted = select(named.c.session, named.c.decided_at).group_by(named.c.session, named.c.decided_at)
    return dict(conn.execute(counted.order_by(func.count(), named.c.decided_at)).all())


def newest_signal_session(conn: Connection, origin: Origin) -> date | None:
    """The newest session that has signals."""
    newest: date | None = conn.scalar(select(func.max(signals.c.session)).where(signals.c.origin == origin))
    return newest


def _signal(row: Row[Any]) -> Signal:
    kept = row._asdict()
    reasons = tuple(Reason(word) for word in kept["reasons"])
    return Signal(**kept | {"action": Action(kept["action"]), "reasons": reasons})
