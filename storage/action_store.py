"""What companies did, as versions, as bars are kept: what was known on any day can be read again.

And the restatements of bars that follow from them.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from math import isclose
from typing import Literal, NamedTuple

import pandas as pd
from sqlalchemy import Connection, and_, delete, or_, select

from storage.action_tables import corporate_actions as table
from storage.action_tables import restatements
from storage.rows import Row, insert_rows, record_columns, row_of

Kind = Literal["dividend", "split", "bonus", "rights", "demerger"]
STATED: tuple[Kind, ...] = ("bonus", "rights", "demerger")
"""What a person tells, because no feed does: its bars are adjusted for none of them."""
BY_HAND = "stated"
"""The provider of what a person told."""
_EQUAL_WITHIN = 1e-9
"""Relative: what a feed's rounding does to a number that it did not change."""
_NOTHING = {"dividend": 0.0, "split": 1.0}
"""What stands in a row where only the other one went ex."""
_MOST = 1e9


@dataclass(frozen=True, slots=True)
class Action:
    """What a company did to its share."""

    symbol: str
    session: date
    """The ex-date."""
    kind: Kind
    value: float
    """dividend: cash a share in the prices of the bars; split and bonus: shares for each one before; rights and
    demerger: the part of the close before that left the share."""
    provider: str
    seen_at: datetime

    @property
    def left(self) -> float:
        """What is left of the price by an action that a person stated; 1 for those of feeds."""
        if self.kind == "bonus":
            return 1 / self.value
        return 1 - self.value if self.kind in ("rights", "demerger") else 1.0


@dataclass(frozen=True, slots=True)
class Restatement:
    """A history that the feed multiplied by a constant."""

    symbol: str
    seen_at: datetime
    first_session: date
    last_session: date
    """The oldest and the newest bar that were."""
    factor: float
    """Median of new adj_close over old, of the bars that changed."""
    bars_changed: int
    explained_by: str | None
    """Kind and session of the actions that make this factor; None where none does."""


def read_actions(
    conn: Connection,
    symbols: Sequence[str] | None = None,
    *,
    known_at: datetime | None = None,
    kinds: Sequence[Kind] | None = None,
) -> list[Action]:
    """The actions by symbol and session, of `symbols` or `kinds` alone where given; with `known_at` as known then."""
    query = select(*record_columns(Action, table))
    if symbols is not None:
        query = query.where(table.c.symbol.in_(symbols))
    if kinds is not None:
        query = query.where(table.c.kind.in_(kinds))
    if known_at is None:
        query = query.where(table.c.superseded_at.is_(None))
    else:
        replaced_later = or_(table.c.superseded_at.is_(None), table.c.superseded_at > known_at)
        query = query.where(and_(table.c.seen_at <= known_at, replaced_later))
    return [Action(*row) for row in conn.execute(query.order_by(table.c.symbol, table.c.session, table.c.kind))]


def write_actions(conn: Connection, symbol: str, told: pd.DataFrame, *, seen_at: datetime, provider: str) -> int:
    """How many of `told` differ from what was known at `seen_at`: these are kept, the others are known already.

    `told`: as `History.actions`. What it lacks stays known, for a feed that is silent denies nothing; what is no
    number above 0 is no action. Of two versions of one second the later call's wins.
    """
    if told.empty:  # as on most days
        return 0
    return _write(conn, symbol, _rows(told), seen_at=seen_at, provider=provider)


def state_action(conn: Connection, stated: Action) -> bool:
    """Keeps what a person says the company did; False where that was known already."""
    row = {"session": stated.session, "kind": stated.kind, "value": stated.value}
    return _write(conn, stated.symbol, [row], seen_at=stated.seen_at, provider=BY_HAND) > 0


def take_back(conn: Connection, symbol: str, session: date, kind: Kind, *, now: datetime) -> bool:
    """Ends what a person stated: known until `now` and no longer; False where nothing was known."""
    this = table.c.symbol == symbol, table.c.session == session, table.c.kind == kind, table.c.provider == BY_HAND
    known = conn.execute(select(table.c.seen_at).where(*this, table.c.superseded_at.is_(None))).scalar()
    if known is not None:
        _retire(conn, symbol, {"session": session, "kind": kind}, known, now.replace(microsecond=0))
    return known is not None


def read_statements(conn: Connection, *, after: datetime, until: datetime) -> list[tuple[datetime, str, date]]:
    """When people stated something or took it back, the symbol, and the ex-date: as `read_sightings` tells of bars."""
    found = set[tuple[datetime, str, date]]()
    for when in (table.c.seen_at, table.c.superseded_at):
        query = select(when, table.c.symbol, table.c.session).where(table.c.kind.in_(STATED))
        rows = conn.execute(query.where(when > after, when <= until))
        found.update((at, symbol, session) for at, symbol, session in rows)
    return sorted(found)


def _write(conn: Connection, symbol: str, rows: Iterable[Row], *, seen_at: datetime, provider: str) -> int:
    now = seen_at.replace(microsecond=0)
    kept = _versions(conn, symbol)
    fresh = []
    for row in rows:
        versions = kept.get((row["session"], row["kind"]), {})
        known = max((since for since, one in versions.items() if one.holds_at(now)), default=None)
        if known is not None and isclose(versions[known].value, row["value"], rel_tol=_EQUAL_WITHIN):
            continue
        if known is not None:
            _retire(conn, symbol, row, known, now)
        until = min((since for since in versions if since > now), default=None)
        fresh.append(row | {"symbol": symbol, "seen_at": now, "superseded_at": until, "provider": provider})
    return insert_rows(conn, table, fresh)


def read_restatements(conn: Connection, symbol: str | None = None) -> list[Restatement]:
    """All of them, or those of `symbol`, as they were seen."""
    query = select(*record_columns(Restatement, restatements))
    if symbol is not None:
        query = query.where(restatements.c.symbol == symbol)
    return [Restatement(*row) for row in conn.execute(query.order_by(restatements.c.seen_at, restatements.c.symbol))]


def write_restatement(conn: Connection, found: Restatement) -> None:
    """Keeps it; of two of one symbol and second the later call's, as bars have one version a second."""
    this = restatements.c.symbol == found.symbol, restatements.c.seen_at == found.seen_at
    conn.execute(delete(restatements).where(*this))
    insert_rows(conn, restatements, [row_of(found)])


class _Version(NamedTuple):
    since: datetime
    until: datetime | None
    value: float

    def holds_at(self, instant: datetime) -> bool:
        return self.since <= instant and (self.until is None or self.until > instant)


def _versions(conn: Connection, symbol: str) -> dict[tuple[date, str], dict[datetime, _Version]]:
    """By session and kind, each version by when it was seen."""
    columns = table.c.session, table.c.kind, table.c.seen_at, table.c.superseded_at, table.c.value
    versions: dict[tuple[date, str], dict[datetime, _Version]] = {}
    for session, kind, *version in conn.execute(select(*columns).where(table.c.symbol == symbol)):
        versions.setdefault((session, kind), {})[version[0]] = _Version(*version)
    return versions


def _rows(told: pd.DataFrame) -> Iterator[Row]:
    """One row an action; of two rows of one session the last one's."""
    once = told[~told.index.duplicated(keep="last") & told.index.notna()]
    sessions = pd.DatetimeIndex(once.index).date
    for kind, nothing in _NOTHING.items():
        for session, value in zip(sessions, once[kind].tolist(), strict=True):
            if value != nothing and 0 < value < _MOST:
                yield {"session": session, "kind": kind, "value": value}


def _retire(conn: Connection, symbol: str, row: Row, known: datetime, now: datetime) -> None:
    """Ends the version known since then, now that another holds."""
    this = and_(
        table.c.symbol == symbol,
        table.c.session == row["session"],
        table.c.kind == row["kind"],
        table.c.seen_at == known,
    )
    if known == now:
        conn.execute(delete(table).where(this))
    else:
        conn.execute(table.update().where(this).values(superseded_at=now))
