"""`verify`: the stored live sessions, replayed at the same desk from the bars, models and settings of then.

Every run says what it was done by: the bars that it knew, the account's events, the configuration. So each row that it
stored can be made again, and must be the same to the bit. It only reads, and needs no lock.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise

from sqlalchemy import Table

from daemon.errors import DaemonError
from daemon.services import Services
from daemon.sessions.desk import home_calendar
from daemon.verifying.record import Record, read_record
from daemon.verifying.replay import NotReplayed, Replay, is_own, settings_of
from daemon.versions import deciding_version
from storage.compared_rows import DECIDED, HELD, SETTLED, Difference, Rows, differences, read_rows, scratch_store
from storage.engine import reading
from storage.run_store import Run
from storage.tables import LIVE


@dataclass(frozen=True, slots=True)
class Verified:
    """What a replay of the sessions first to last found."""

    first: date
    last: date
    replayed: int
    """Decisions and settlements that were made again."""
    rows: int
    """Stored rows that were compared."""
    differences: tuple[Difference, ...]
    not_replayed: tuple[NotReplayed, ...]

    def passes(self, *, allow_unreplayed: bool) -> bool:
        """True when all is as stored: everything or, where that is allowed, everything that can be replayed.

        What is broken is never passed over: its record would have to be mended first.
        """
        if self.differences or any(one.broken for one in self.not_replayed):
            return False
        return allow_unreplayed or not self.not_replayed


def verify(services: Services, *, since: date, until: date | None = None) -> Verified:
    """Replays the live sessions from `since` on, or to `until`. Raises DaemonError when there is none, StoreError."""
    span = since, until or date.max
    with reading(services.engine) as conn:
        record = read_record(conn, *span)
        stored = {table: read_rows(conn, table, LIVE, span) for table in (*DECIDED, *SETTLED, HELD)}
    if not record.runs:
        raise DaemonError(f"no live session from {since} to {until or 'now'} is stored; `status` shows the newest.")
    with scratch_store() as scratch:
        not_replayed = Replay(services, record, scratch).run()
        with reading(scratch) as conn:
            made = {table: read_rows(conn, table, LIVE, span) for table in stored}
    return _judged(record, _Compared(stored, made, not_replayed), _gaps(services, record))


@dataclass(frozen=True, slots=True)
class _Compared:
    """Both sides, and what of them counts for nothing."""

    stored: Mapping[Table, Rows]
    made: Mapping[Table, Rows]
    not_replayed: Sequence[NotReplayed]

    def differences(self, kind: str, tables: Sequence[Table]) -> Iterator[Difference]:
        for table in tables:
            yield from differences(self.stored[table], self.made[table], without=self.without(kind))

    def n_rows(self, kind: str, tables: Sequence[Table]) -> int:
        return sum(self.stored[table].count(without=self.without(kind)) for table in tables)

    def without(self, kind: str) -> set[str]:
        """The sessions of which this kind of run was not replayed."""
        return {one.session.isoformat() for one in self.not_replayed if one.kind == kind}


def _judged(record: Record, compared: _Compared, gaps: Iterable[NotReplayed]) -> Verified:
    found: list[Difference] = []
    foreign: list[NotReplayed] = []
    rows = 0
    for kind, tables in (("decide", [*DECIDED]), ("settle", [*SETTLED, *_held(record, compared)])):
        own, of_others = _parted(record, kind, compared.differences(kind, tables))
        found, foreign = [*found, *own], [*foreign, *of_others]
        rows += compared.n_rows(kind, tables)
    not_replayed = [*compared.not_replayed, *foreign, *gaps]
    return Verified(
        first=record.runs[0].session,
        last=record.runs[-1].session,
        replayed=len(record.runs) - len(compared.not_replayed),
        rows=rows,
        differences=tuple(sorted(found, key=lambda one: one.session)),
        not_replayed=tuple(sorted(not_replayed, key=lambda one: (one.session, one.kind))),
    )


def _held(record: Record, compared: _Compared) -> list[Table]:
    """What is held now is compared where the newest settlement of all was replayed: it came of that."""
    newest = max(record.ledger["settle"], default=None)
    settled = {run.session for run in record.runs if run.kind == "settle"}
    return [HELD] if newest in settled and f"{newest}" not in compared.without("settle") else []


def _parted(record: Record, kind: str, found: Iterable[Difference]) -> tuple[list[Difference], list[NotReplayed]]:
    """The differences, and what of them belongs to runs of other code, which may well do otherwise now."""
    others = {run.session.isoformat(): run for run in record.runs if run.kind == kind and not is_own(run)}
    own: list[Difference] = []
    of_others: dict[str, list[Difference]] = {}
    for one in found:
        (of_others.setdefault(one.session, []) if one.session in others else own).append(one)
    return own, [_by_other_code(others[session], many) for session, many in of_others.items()]


def _by_other_code(run: Run, found: Sequence[Difference]) -> NotReplayed:
    now = deciding_version().split(", ")
    then = ", ".join(part for part in (run.code_version or "").split(", ") if part not in now)
    one = found[0]
    cell = " ".join(filter(None, (one.symbol, one.table, one.row, one.column)))
    why = f"done by {then or 'other libraries'}; {len(found)} cells come out otherwise now, first {cell}"
    return NotReplayed(run.session, run.kind, why)


def _gaps(services: Services, record: Record) -> Iterator[NotReplayed]:
    """Sessions among the runs that are not done although the next one knew of them, by its calendar."""
    settings, _ = settings_of(record.configurations, services)
    now, day = services.clock.now(), timedelta(days=1)
    for kind in record.ledger:
        for before, after in pairwise(run for run in record.runs if run.kind == kind):
            calendar = home_calendar(settings.get(after.configuration or "", services.settings), now)
            for session in calendar.between(before.session + day, after.session - day).date:
                yield NotReplayed(session, kind, "it is not done, and later ones are; the ledger has lost it")
