"""What was stored of the decisions and settlements beside what a replay stores of them: row by row, bit by bit."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, Table, create_engine, or_, select

from storage.account_tables import account, account_events, positions, trades
from storage.rows import raw_columns
from storage.schema import METADATA
from storage.tables import Origin, features, forecasts, member_forecasts, signals

DECIDED: Mapping[Table, str] = dict.fromkeys((features, member_forecasts, forecasts, signals), "session")
"""What a decision writes -> its column that says for which session."""
SETTLED: Mapping[Table, str] = {account_events: "session", trades: "exit_session", account: "session"}
"""The same of a settlement. Events that a person commanded follow from nothing, and count for nothing here; nor do
void ones."""
HELD = positions
"""What is held now: each settlement replaces the one before."""
SESSION_COLUMNS: Mapping[Table, str] = {**DECIDED, **SETTLED, HELD: "last_session"}
NOT_COMPARED = frozenset({"origin", "code_version"})
"""A replay knows its own."""

NO_ROW = "no such row"
Cell = str | float | int | None


@dataclass(frozen=True, slots=True)
class Difference:
    """One cell, or one row, that a replay stores otherwise."""

    session: str
    symbol: str
    """Empty where the row is about no symbol."""
    table: str
    row: str
    """What else names the row, such as "gap, logit"."""
    column: str
    """Empty where a whole row is missing on one side."""
    stored: Cell
    replayed: Cell


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of one table by their keys."""

    table: Table
    columns: tuple[str, ...]
    by_key: Mapping[tuple[Cell, ...], tuple[Cell, ...]]

    def session_of(self, row: tuple[Cell, ...]) -> str:
        """The session that the row is about."""
        return str(row[self.columns.index(SESSION_COLUMNS[self.table])])

    def count(self, *, without: Collection[str]) -> int:
        """How many there are, but of the sessions `without` (ISO dates)."""
        return sum(self.session_of(row) not in without for row in self.by_key.values())


@contextmanager
def scratch_store() -> Iterator[Engine]:
    """An empty database in memory, which goes when the block ends."""
    engine = create_engine("sqlite://")
    METADATA.create_all(engine)
    try:
        yield engine
    finally:
        engine.dispose()


def read_rows(conn: Connection, table: Table, origin: Origin, span: tuple[date, date]) -> Rows:
    """The rows of one origin and the sessions from span[0] to span[1], as the driver gives them; of HELD all."""
    columns = [column for column in table.columns if column.name not in NOT_COMPARED]
    query = select(*columns).where(table.c.origin == origin)
    if table is not HELD:
        query = query.where(table.c[SESSION_COLUMNS[table]].between(*span))
    if table is account_events:
        query = query.where(table.c.commanded_at.is_(None), *_not_void(conn, origin))
    keys = [place for place, column in enumerate(columns) if column.primary_key]
    found = zip(*raw_columns(conn, query), strict=True)
    by_key = {tuple(row[place] for place in keys): row for row in found}
    return Rows(table, tuple(column.name for column in columns), by_key)


def _not_void(conn: Connection, origin: Origin) -> Iterator[ColumnElement[bool]]:
    """What a session settled again has made void, and the event that says so, follow from nothing that is replayed."""
    number, kept = account_events.c.number, account_events.c.kept
    for reopened in conn.execute(select(number, kept).where(kept.is_not(None), account_events.c.origin == origin)):
        yield or_(number <= reopened.kept, number > reopened.number)


def differences(stored: Rows, replayed: Rows, *, without: Collection[str] = ()) -> Iterator[Difference]:
    """Every cell that differs, by session and key; rows of the sessions `without` (ISO dates) count for nothing."""
    found = []
    for key in {*stored.by_key, *replayed.by_key}:
        kept, made = stored.by_key.get(key), replayed.by_key.get(key)
        session = stored.session_of(kept or made or ())
        if kept != made and session not in without:
            found.append((session, key, kept, made))
    for session, _, kept, made in sorted(found, key=lambda one: (one[0], *map(str, one[1]))):
        yield from _cells(stored, session, kept, made)


def _cells(
    rows: Rows, session: str, kept: tuple[Cell, ...] | None, made: tuple[Cell, ...] | None
) -> Iterator[Difference]:
    named: dict[str, Any] = dict(zip(rows.columns, kept or made or (), strict=True))
    others = [named[name] for name in ("label", "member", "number") if name in named and rows.table.c[name].primary_key]
    where = (session, str(named.get("symbol") or ""), rows.table.name, ", ".join(map(str, others)))
    if kept is None or made is None:
        yield Difference(*where, "", NO_ROW if kept is None else "a row", NO_ROW if made is None else "a row")
        return
    for name, was, becomes in zip(rows.columns, kept, made, strict=True):
        if was != becomes:
            yield Difference(*where, name, was, becomes)
