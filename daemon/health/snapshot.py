"""The state of the daemon at an instant, as it is stored: what monitors are shown."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from daemon.config.settings import Settings
from daemon.health.judge import Health, Ledger, judge, read_ledger
from daemon.services import Services
from ensemble.trading.account import Account, AccountMark, Position
from storage.account_store import newest_mark, read_positions
from storage.engine import reading
from storage.forecast_store import read_probabilities
from storage.run_store import Run, newest_done_run
from storage.signal_store import newest_signal_session
from storage.tables import LIVE


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The state at an instant."""

    at: datetime
    health: Health
    ledger: Ledger
    done: dict[str, Run]
    """The newest run that is done, by kind."""
    mark: AccountMark | None
    positions: list[Position]
    probabilities: Mapping[tuple[str, str], float]
    """What was said of the newest session decided: symbol and label -> probability of "up"."""


def take_snapshot(services: Services) -> Snapshot:
    """The state now. Raises StoreError."""
    with reading(services.engine) as conn:
        return read_snapshot(conn, services.book.read(conn, LIVE), services.settings, now=services.clock.now())


def read_snapshot(conn: Connection, account: Account | None, settings: Settings, *, now: datetime) -> Snapshot:
    """The state at `now`; `account` is the live one. Raises StoreError."""
    ledger = read_ledger(conn, account, settings.signals.label)
    session = newest_signal_session(conn, LIVE)
    done = {kind: newest_done_run(conn, LIVE, kind) for kind in ("decide", "settle")}
    return Snapshot(
        now,
        judge(ledger, settings, now),
        ledger,
        {kind: run for kind, run in done.items() if run},
        newest_mark(conn, LIVE),
        read_positions(conn, LIVE),
        read_probabilities(conn, LIVE, session) if session else {},
    )
