"""What `status` shows: how the daemon is, the last runs, the account, what comes next."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import pandas as pd
from rich.console import Console
from rich.table import Table
from rich.text import Text
from sqlalchemy import Engine

from daemon.config.settings import Settings
from daemon.console.display import account_line, hold_line, local_time
from daemon.console.redaction import one_line, redacted
from daemon.console.tables import new_table, open_console, print_json
from daemon.health.judge import Finding, Health, Ledger, judge, read_ledger
from daemon.sessions.desk import home_calendar
from daemon.sessions.halt import holds_in_force, next_session
from daemon.sessions.reconcile import timetable_of
from ensemble.counted import counted
from ensemble.sessions import trading_hours
from ensemble.trading.account import AccountMark
from ensemble.trading.holdings import Hold
from storage.account_store import newest_mark, read_account
from storage.engine import reading
from storage.mirror_spool import MirrorState
from storage.run_store import Run, read_runs
from storage.tables import LIVE

OK, WARNING, CRITICAL, UNKNOWN = range(4)
"""What a monitor of the Nagios family takes an exit code for."""
_WORDS = ("OK", "WARNING", "CRITICAL", "UNKNOWN")


@dataclass(frozen=True, slots=True)
class Status:
    """All that is shown."""

    health: Health
    ledger: Ledger
    runs: list[Run]
    mark: AccountMark | None
    holds: list[Hold]
    wake: pd.Timestamp | None
    """None where the clock is beyond every calendar."""


def read_status(engine: Engine, settings: Settings, *, now: datetime) -> Status:
    """The state at `now`."""
    with reading(engine) as conn:
        runs, mark = read_runs(conn, LIVE, newest=8), newest_mark(conn, LIVE)
        account = read_account(conn, LIVE)
        ledger = read_ledger(conn, account, settings.signals.label)
    health = judge(ledger, settings, now)
    try:
        calendar = home_calendar(settings, now)
        wake = timetable_of(settings, calendar).next_wake(pd.Timestamp(now))
        holds = holds_in_force(account, next_session(calendar, now))
    except (ValueError, OverflowError, IndexError):  # which the health tells
        wake, holds = None, []
    return Status(health, ledger, runs, mark, holds, wake)


def show_status(status: Status, settings: Settings, *, as_json: bool) -> None:
    """For people, or for scripts."""
    if as_json:
        print_json(status_record(status, settings))
        return
    console = open_console()
    console.print("Healthy" if status.health.healthy else "Not healthy")
    for finding in status.health.findings:
        console.print(f"  {finding.ill}: {one_line(redacted(finding.text))}", soft_wrap=True)
    nothing = "Nothing done yet; run `reliance-daemon run-once`."
    console.print(_run_table(console, status.runs) if status.runs else nothing)
    console.print(account_line(status.mark, settings))
    if settings.cloud.bucket is not None:
        console.print(mirror_line(status.ledger.mirror), soft_wrap=True)
    for hold in status.holds:
        console.print(hold_line(hold), soft_wrap=True)
    if status.wake is not None:
        guess = " (a provisional session)" if is_provisional(status.wake, settings) else ""
        console.print(f"Next: {local_time(status.wake, settings)}{guess}")


def mirror_line(state: MirrorState) -> str:
    """As in "Cloud: 2021-10-1a2b signals-2021-10-05-at-... since 2021-10-05 12:00Z; 2 attempts for more in vain"."""
    has = f"{state.what} since {state.mirrored_at:%Y-%m-%d %H:%M}Z" if state.mirrored_at else "nothing yet"
    if state.waiting_since is None:
        return f"Cloud: {has}"
    why = f" ({one_line(redacted(state.why))})" if state.why else ""
    tried = f"{counted(state.attempts, 'attempt')}{why}"
    return f"Cloud: {has}; waits since {state.waiting_since:%Y-%m-%d %H:%M}Z, {tried}"


def is_provisional(wake: pd.Timestamp | None, settings: Settings) -> bool:
    """The next wake is for a session past all known holidays."""
    exchange = settings.market.exchange
    zone = trading_hours(exchange).zone
    return wake is not None and settings.calendar.is_provisional(exchange, wake.tz_convert(zone).date())


def monitor_line(status: Status) -> tuple[str, int]:
    """One line and an exit code as the monitors of the Nagios family want them, with figures after the bar."""
    health = status.health
    code = OK if not health.findings else WARNING if health.healthy else CRITICAL
    told = "; ".join(f"{finding.ill} {finding.text}" for finding in health.findings) or "all that was due is done"
    equity = "" if status.mark is None else f" equity={status.mark.equity:.2f}"
    figures = f"overdue={len(health.overdue)} failing={len(status.ledger.failed)}{equity}"
    return f"{_WORDS[code]} - {one_line(redacted(told)).replace('|', '/')} | {figures}", code


def unknown_line(error: Exception) -> str:
    """The same where the state could not be read."""
    return f"{_WORDS[UNKNOWN]} - {one_line(redacted(str(error))).replace('|', '/')}"


def status_record(status: Status, settings: Settings) -> dict[str, Any]:
    """What `status --json` prints."""
    return {
        "healthy": status.health.healthy,
        "findings": [_plain(finding) for finding in status.health.findings],
        "overdue": [f"{task.kind} {task.session:%Y-%m-%d}" for task in status.health.overdue],
        "unsent": status.ledger.unsent,
        "cloud": asdict(status.ledger.mirror),
        "next_wake": status.wake and status.wake.isoformat(),
        "runs": [asdict(run) for run in status.runs],
        "account": status.mark and asdict(status.mark),
        "halts": [asdict(hold) for hold in status.holds],
        "provisional": is_provisional(status.wake, settings),
    }


def _plain(finding: Finding) -> dict[str, Any]:
    return {"ill": finding.ill, "unhealthy": finding.unhealthy, "text": finding.text, "since": finding.since}


def _run_table(console: Console, runs: Sequence[Run]) -> Table:
    table = new_table(console, "Last runs", "job", "session", "status", "ended (UTC)", "detail", left=5)
    for run in runs:
        ended = "" if run.finished_at is None else f"{run.finished_at:%Y-%m-%d %H:%M}"
        table.add_row(run.kind, f"{run.session}", run.status, ended, Text(one_line(redacted(run.detail))))
    return table
