"""What was decided, and how it goes into the store: one session live, thousands at once in a backtest."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Connection

from ensemble.session_forecasts import SessionForecasts
from ensemble.trading.signals import Signal
from storage.forecast_store import write_features_digests, write_forecasts, write_member_forecasts
from storage.signal_store import write_signals
from storage.tables import Origin

SESSIONS_A_WRITE = 100
"""Forecasts are turned into records so many sessions at a time; a decade of them at once would take 300 MB."""


@dataclass(frozen=True, slots=True)
class Decision:
    """Everything that was decided about one session."""

    session: date
    decided_at: datetime
    late: bool
    said: SessionForecasts
    signals: tuple[Signal, ...]
    data_digest: str
    n_features: int
    caution: str = ""
    """What was done with care, and why; empty where all is as configured."""


def write_decisions(
    conn: Connection,
    origin: Origin,
    decisions: Sequence[Decision],
    *,
    code_version: str,
    kept: Collection[date] = (),
) -> None:
    """Everything that was decided, within the caller's transaction; forecasts of the sessions `kept` are there."""
    to_write = [decision for decision in decisions if decision.session not in kept]
    for start in range(0, len(to_write), SESSIONS_A_WRITE):
        _write_forecasts(conn, origin, to_write[start : start + SESSIONS_A_WRITE], code_version)
    digests = {decision.session: decision.data_digest for decision in decisions}
    write_features_digests(conn, origin, digests, column_count=decisions[0].n_features)
    decided_at = {decision.session: decision.decided_at for decision in decisions}
    write_signals(conn, origin, [one for decision in decisions for one in decision.signals], decided_at=decided_at)


def _write_forecasts(conn: Connection, origin: Origin, decisions: Sequence[Decision], code_version: str) -> None:
    members = [one for decision in decisions for one in decision.said.member_forecasts()]
    write_member_forecasts(conn, origin, members)
    write_forecasts(
        conn,
        origin,
        [one for decision in decisions for one in decision.said.forecasts()],
        decided_at={decision.session: decision.decided_at for decision in decisions},
        late={decision.session: decision.late for decision in decisions},
        code_version=code_version,
    )
