"""All checks, one after the other; one that fails itself is a finding too."""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from pathlib import Path

import pandas as pd
from sqlalchemy import Engine

from daemon.calendars.check import check_stored
from daemon.config.file import CONFIG_PATHS, read_config
from daemon.config.settings import Settings, StorageOptions, load_settings
from daemon.doctor.cloud import bucket_finding, cloud_finding
from daemon.doctor.finding import Finding, fail, ok, warn
from daemon.doctor.installation import installation_findings
from daemon.doctor.machine import bars_finding, calendar_end_finding, clock_finding, disk_finding, unit_finding
from daemon.doctor.market import age_finding, answer_finding, context_finding, model_finding
from daemon.doctor.state import backup_finding, database_findings, log_finding, rights_finding
from daemon.errors import ConfigError
from storage.bar_store import newest_sessions
from storage.engine import database_file, open_store, reading
from storage.errors import StoreError
from storage.run_store import newest_done
from storage.tables import LIVE

COMPARED_DAYS = 370
"""How far back bars are compared with the calendar; `calendar check` looks at all."""


def examine(config: Path | None, now: datetime, *, ask_feed: bool, ask_cloud: bool = False) -> Iterator[Finding]:
    """Every finding, as it comes. Only looks: no lock, no file is made, and the daemon may run."""
    yield from _guarded("installation", installation_findings)
    try:
        settings = load_settings(config, os.environ)
        source, _ = read_config(config, CONFIG_PATHS)
    except ConfigError as error:
        seen, _, remedy = str(error).rpartition("; ")
        yield fail("configuration", seen, remedy)
        return
    yield ok("configuration", f"{source} is in order" if source else "no file, all is default")
    yield from _guarded("rights", lambda: [rights_finding(source, settings.storage)])
    yield from _guarded("log", lambda: [log_finding(settings.log, settings.storage.state_dir)])
    yield from _guarded("database", lambda: database_findings(settings.storage))
    with _opened(settings.storage) as engine:
        yield from _guarded("database", lambda: _from_database(settings, engine, now))
        yield from _guarded("cloud", lambda: [cloud_finding(settings, engine, now)])
        if ask_cloud:
            yield from _guarded("bucket", lambda: [bucket_finding(settings, engine)])
    yield from _guarded("calendar", lambda: [_calendar_end(settings, now.date())])
    yield from _guarded("disk", lambda: [disk_finding(settings.storage.state_dir, _size(settings.storage))])
    yield from _guarded("unit", lambda: [unit_finding()])
    if ask_feed:
        yield from _guarded("feed answer", lambda: [answer_finding(settings, now.date())])


def _from_database(settings: Settings, engine: Engine | None, now: datetime) -> Iterator[Finding]:
    """What is judged by what is stored; without a database, by nothing."""
    newest, settled = _stored(engine) if engine else ({}, None)
    yield backup_finding(settings.storage, settled)
    exchanges = {settings.market.exchange, *settings.market.context}
    newest_bar = max((newest[symbol].date() for symbol in settings.market.symbols if symbol in newest), default=None)
    yield clock_finding(now, exchanges, newest_bar)
    if engine:
        yield age_finding(settings, newest, now)
        yield context_finding(settings, newest, now)
        yield bars_finding(_disagreement(engine, settings, now.date()))
        yield model_finding(engine, settings, now)


def _disagreement(engine: Engine, settings: Settings, today: date) -> list[str]:
    since = today - timedelta(days=COMPARED_DAYS)
    calendar = settings.calendar.load(settings.market.exchange, first=since, last=today)
    with reading(engine) as conn:
        return check_stored(conn, settings, calendar, since=since).lines()


def _stored(engine: Engine) -> tuple[dict[str, pd.Timestamp], date | None]:
    with reading(engine) as conn:
        return newest_sessions(conn), newest_done(conn, LIVE, "settle")


@contextmanager
def _opened(storage: StorageOptions) -> Iterator[Engine | None]:
    try:
        engine = open_store(storage.database_url, read_only=True)
    except StoreError:
        yield None  # which a finding has told
        return
    try:
        yield engine
    finally:
        engine.dispose()


def _guarded(check: str, look: Callable[[], Iterable[Finding]]) -> Iterator[Finding]:
    try:
        yield from look()
    except PermissionError as error:
        yield warn(
            check, f"this user may not look at {error.filename or 'it'}", "look as the user who runs the daemon."
        )
    except Exception as error:  # the other checks are worth as much
        said = " ".join(str(error).split())
        yield fail(check, f"could not be looked at: {type(error).__name__}: {said}", "mend that, or report it.")


def _calendar_end(settings: Settings, today: date) -> Finding:
    exchange = settings.market.exchange
    return calendar_end_finding(exchange, settings.calendar.known_until(exchange), today)


def _size(storage: StorageOptions) -> int:
    file = database_file(storage.database_url)
    return file.stat().st_size if file and file.exists() else 0
