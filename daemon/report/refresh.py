"""Keeps the report up to date, beside the work: what goes wrong with it is a line in the log.

A thread has a process write it, which ends with it: what draws and what is drawn never stay in the daemon's memory.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from loguru import logger

from daemon.config.settings import Settings
from daemon.training.child import TaskLimits
from daemon.training.crew import done_apart
from storage.engine import reading
from storage.run_store import newest_done
from storage.tables import LIVE

if TYPE_CHECKING:
    from daemon.services import Services

LIMITS = TaskLimits(timeout_min=5, memory_mb=2000, threads=1)
WAIT_AT_THE_END_S = 5.0
"""When the daemon is told to stop; what is not written by then is written after the next session."""
WAIT_FOR_IT_S = 60.0
"""After `run-once`, which would else leave an old report behind."""


@dataclass(frozen=True, slots=True)
class Order:
    """What the process is told."""

    settings: Settings
    now: datetime

    @property
    def path(self) -> Path:
        """The file to write."""
        return self.settings.report.path(self.settings.storage.state_dir)


Write = Callable[[Order], int]


def write_here(order: Order) -> int:
    """The size of the file written, in bytes. It only reads the database."""
    import os

    from daemon.console.redaction import hide, secrets_of
    from daemon.report.material import Asked
    from daemon.report.write import write_report
    from storage.engine import open_store

    os.umask(0o077)
    hide(secrets_of(order.settings))
    engine = open_store(order.settings.storage.database_url, read_only=True)
    try:
        return write_report(engine, order.settings, Asked(), now=order.now, path=order.path)
    finally:
        engine.dispose()


def write_apart(order: Order) -> int:
    """The same, by a process that ends with it. Raises ChildFailed, and whatever `write_here` raises."""
    return done_apart(write_here, order, LIMITS)


@dataclass
class Refresher:
    """Writes the report when a session was decided or settled since; one at a time."""

    write: Write = write_apart
    _thread: threading.Thread | None = None
    _written: object = None
    """What had been done when it was written last."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def go(self, services: "Services") -> None:
        """Begins if there is anything new; returns at once. What comes meanwhile is written after the next session."""
        if not services.settings.report.enabled:
            return
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._work, args=(services,), name="report", daemon=True)
                self._thread.start()

    def finish(self, wait_s: float = WAIT_FOR_IT_S) -> None:
        """Waits for what is under way; it ends with this process at the latest."""
        if self._thread is not None:
            self._thread.join(wait_s)

    def _work(self, services: "Services") -> None:
        try:
            done = _done(services)
            if done is not None and done != self._written:
                order = Order(services.settings, services.clock.now())
                logger.info("report: {}, {:.1f} MB", order.path, self.write(order) / 1e6)
                self._written = done
        except Exception as error:  # whatever it is, the sessions go on
            logger.error("report: not written: {}", error)


def _done(services: "Services") -> object:
    """What was done last; None before anything was."""
    with reading(services.engine) as conn:
        newest = tuple(newest_done(conn, LIVE, kind) for kind in ("decide", "settle"))
    return newest if any(newest) else None
