"""What the ledger says of past live sessions, read at one instant: the daemon may go on meanwhile."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Connection

from daemon.verifying.plan import Sighting
from ensemble.trading.events import AccountEvent
from storage.account_store import read_events
from storage.action_store import read_statements
from storage.bar_store import read_sightings
from storage.configuration_store import read_configurations
from storage.forecast_store import read_speakers
from storage.run_store import Run, done_runs, runs_between
from storage.signal_store import read_decision_instants
from storage.tables import LIVE


@dataclass(frozen=True, slots=True)
class Record:
    """What the runs of some sessions were done by."""

    runs: Sequence[Run]
    """Those that are done, in order of session and kind."""
    configurations: Mapping[str, str]
    speakers: Mapping[date, str]
    """The model that forecast each session."""
    instants: Mapping[date, datetime]
    """When each session was decided."""
    events: Mapping[int, AccountEvent]
    """All of the account, by number."""
    sightings: Sequence[Sighting]
    """Of bars, and of what people stated of them, between the first run and the last."""
    ledger: Mapping[str, frozenset[date]]
    """The sessions that each kind of run is done for, of all times."""


def read_record(conn: Connection, first: date, last: date) -> Record:
    """All about the sessions first to last."""
    runs = runs_between(conn, LIVE, first, last)
    looks = [run.bars_known_at for run in runs if run.bars_known_at]
    return Record(
        runs=runs,
        configurations=read_configurations(conn),
        speakers=read_speakers(conn, LIVE, first=first, last=last),
        instants=read_decision_instants(conn, LIVE, first=first, last=last),
        events={event.number: event for event in read_events(conn, LIVE)},
        sightings=_sightings(conn, min(looks), max(looks)) if looks else [],
        ledger={kind: frozenset(done_runs(conn, LIVE, kind)) for kind in ("decide", "settle")},
    )


def _sightings(conn: Connection, after: datetime, until: datetime) -> list[Sighting]:
    return sorted([*read_sightings(conn, after=after, until=until), *read_statements(conn, after=after, until=until)])
