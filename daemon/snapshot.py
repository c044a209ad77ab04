"""The state of the daemon at an instant, as it is stored: what monitors are shown."""

from dataclasses import dataclass
from datetime import datetime

import pandas as pd

from daemon.health import Health, Ledger, judge, read_ledger
from daemon.services import Services
from ensemble.trading.account import AccountMark, Position
from storage.account_store import newest_mark, read_positions
from storage.engine import reading
from storage.forecast_store import read_forecasts
from storage.run_store import CLOSED, Run, read_runs
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
    forecasts: pd.DataFrame
    """Of the newest session decided."""


def take_snapshot(services: Services) -> Snapshot:
    """The state now. Raises StoreError."""
    now = services.clock.now()
    with reading(services.engine) as conn:
        ledger = read_ledger(conn, services.book.read(conn, LIVE), services.settings.signals.label)
        session = newest_signal_session(conn, LIVE)
        forecasts = read_forecasts(conn, first=session, last=session) if session else pd.DataFrame()
        return Snapshot(
            now,
            judge(ledger, services.settings, now),
            ledger,
            {kind: run for kind in ("decide", "settle") for run in _newest_done(read_runs(conn, LIVE, kind=kind))},
            newest_mark(conn, LIVE),
            read_positions(conn, LIVE),
            forecasts[forecasts["origin"] == LIVE] if len(forecasts) else forecasts,
        )


def _newest_done(runs: list[Run]) -> list[Run]:
    return [run for run in runs if run.status in CLOSED][:1]
