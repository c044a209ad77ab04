"""Keeps the report up to date, beside the work: what goes wrong with it is a line in the log.

A thread has a process write it, which ends with it: what draws and what is drawn never stay in the daemon's memory.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from loguru import logger

from daemon.config.settings import Settings
from daemon.training.child import TaskLimits
from daemon.training.crew import done_apart

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
    """Writes the report when something was done, one at a time; a failure waits for the next session."""

    write: Write = write_apart
    _thread: threading.Thread | None = None

    def go(self, services: "Services") -> None:
        """Begins and returns at once; nothing where it is not wanted, or one is under way."""
        is_idle = self._thread is None or not self._thread.is_alive()
        if services.settings.report.enabled and is_idle:
            order = Order(services.settings, services.clock.now())
            self._thread = threading.Thread(target=self._work, args=(order,), name="report", daemon=True)
            self._thread.start()

    def finish(self, wait_s: float = WAIT_FOR_IT_S) -> None:
        """Waits for what is under way; it ends with this process at the latest."""
        if self._thread is not None:
            self._thread.join(wait_s)

    def _work(self, order: Order) -> None:
        try:
            logger.info("report: {}, {:.1f} MB", order.path, self.write(order) / 1e6)
        except Exception as error:  # whatever it is, the sessions go on
            logger.error("report: not written: {}", error)
