"""What a command works with: the configuration, and the database and all else opened by it."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from daemon.clock import Clock, FixedClock, SystemClock
from daemon.config.settings import Settings, load_settings
from daemon.console.redaction import hide, secrets_of

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from daemon.config.settings import StorageOptions
    from daemon.services import Services

    OpenStore = Callable[[StorageOptions, Clock], Engine]


@dataclass(frozen=True, slots=True)
class Invocation:
    """The global options."""

    config: Path | None
    debug: bool

    def settings(self) -> Settings:
        """The configuration, whose secrets no output shows from now on. Raises ConfigError."""
        settings = load_settings(self.config, os.environ)
        hide(secrets_of(settings))
        return settings


@contextmanager
def services_of(
    invocation: Invocation, clock: Clock, *, quiet: bool, open_store: "OpenStore | None" = None
) -> "Iterator[Services]":
    """The one working instance: lock, log, database, feed. Raises AlreadyRunning, FeedError, StoreError.

    `open_store`: who opens the database, by default `open_database`.
    """
    from daemon.console.log import log_printed_error, open_log
    from daemon.database.opening import open_database
    from daemon.instance import only_instance

    settings = invocation.settings()
    with only_instance(settings.storage.state_dir):
        open_log(settings.storage.state_dir, settings.log, debug=invocation.debug, quiet=quiet)
        engine = (open_store or open_database)(settings.storage, clock)
        try:
            with _all_of(settings, clock, engine) as services:
                yield services
        except KeyboardInterrupt:
            typer.echo("interrupted; what was finished is kept, run the same command again to go on.", err=True)
            raise
        except Exception as error:
            log_printed_error(error)
            raise
        finally:
            engine.dispose()


@contextmanager
def _all_of(settings: Settings, clock: Clock, engine: "Engine") -> "Iterator[Services]":
    """Models, feeds and broker; what is on its way elsewhere at the end has a few seconds."""
    from daemon.console.progress import shown
    from daemon.report.refresh import WAIT_AT_THE_END_S, Refresher
    from daemon.services import Services
    from daemon.sessions.broker import open_broker
    from storage.feeds import open_check_feed, open_feed
    from storage.model_store import ModelStore

    models, broker, refresher = ModelStore(settings.storage.models_dir), open_broker(settings.broker), Refresher()
    opened = Services(settings, clock, engine, models, open_feed(settings.feed), shown, broker=broker)
    opened = replace(opened, check_feed=open_check_feed(settings.feed), report=refresher)
    try:
        yield opened
    finally:
        opened.courier.finish()
        opened.mirror.finish()
        refresher.finish(WAIT_AT_THE_END_S)


@contextmanager
def upgraded(invocation: Invocation, *, read_only: bool) -> "Iterator[Engine]":
    """The database as it is, brought to the present schema first where an earlier version wrote it.

    That alone needs the lock. Raises AlreadyRunning while another instance holds it, StoreError.
    """
    from daemon.clock import SystemClock
    from daemon.database.opening import open_database
    from daemon.instance import only_instance
    from storage.engine import OldSchema, open_store

    settings = invocation.settings().storage
    url = settings.database_url
    try:
        engine = open_store(url, read_only=True)
    except OldSchema:
        with only_instance(settings.state_dir):
            open_database(settings, SystemClock()).dispose()
        engine = open_store(url, read_only=True)
    if not read_only:
        engine.dispose()
        engine = open_store(url, group_read=settings.group_read)
    try:
        yield engine
    finally:
        engine.dispose()


@contextmanager
def reader(invocation: Invocation) -> "Iterator[Engine]":
    """The database for looking only: needs no lock, so it works while the daemon does."""
    from storage.engine import open_store

    engine = open_store(invocation.settings().storage.database_url, read_only=True)
    try:
        yield engine
    finally:
        engine.dispose()


def clock_at(now: str | None) -> Clock:
    """The machine's clock, or one that stands at --now."""
    if now is None:
        return SystemClock()
    try:
        instant = datetime.fromisoformat(now)
    except ValueError as error:
        raise typer.BadParameter(
            f"{now!r} is no ISO instant; write 2021-10-01T03:20:00Z.", param_hint="--now"
        ) from error
    return FixedClock(instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC))
