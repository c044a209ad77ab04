"""Wakes the main thread at given instants, through APScheduler, whose only importer this is.

It decides nothing: its thread rings a bell, and the ledger says what is due. Its listeners log and ring too, and the
ledger, which the main thread alone writes, has what came of it. Its jobs are single dates, planned anew after each
wake, because an interval works off every turn that a clock moved by years has passed.
"""

import logging
import os
import select
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC

import pandas as pd
from apscheduler.events import EVENT_JOB_ERROR, EVENT_JOB_MAX_INSTANCES, EVENT_JOB_MISSED, JobEvent, JobExecutionEvent
from apscheduler.schedulers import SchedulerNotRunningError
from apscheduler.schedulers.blocking import BlockingScheduler
from apscheduler.triggers.date import DateTrigger
from loguru import logger

from daemon.errors import DaemonError

GRACE_S = 60
"""A wake that comes later than this is told as missed, and wakes all the same."""


class SchedulerDied(DaemonError):
    """The thread that wakes ended by itself; whoever started the daemon is to start it again."""


class Waker:
    """A bell that rings at planned instants."""

    def __init__(self, scheduler: type[BlockingScheduler] = BlockingScheduler) -> None:
        _log_its_errors()
        defaults = {"coalesce": True, "misfire_grace_time": GRACE_S, "max_instances": 1}
        executors = {"default": {"type": "threadpool", "max_workers": 1}}
        self._scheduler = scheduler(timezone=UTC, job_defaults=defaults, executors=executors)
        self._scheduler.add_listener(self._went_wrong, EVENT_JOB_MISSED | EVENT_JOB_ERROR | EVENT_JOB_MAX_INSTANCES)
        self._heard, self._bell = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._rung = deque[str]()
        self._thread = threading.Thread(target=self._serve, name="waker", daemon=True)
        self._ended = threading.Event()
        self._why_ended = "it ended without an error"

    @contextmanager
    def awake(self) -> Iterator[None]:
        """Inside, it rings."""
        self._thread.start()
        try:
            yield
        finally:
            with suppress(SchedulerNotRunningError):
                self._scheduler.shutdown(wait=False)

    def plan(self, wakes: Mapping[str, pd.Timestamp]) -> None:
        """Rings at these instants, aware, each by its name, and at no other.

        One that is planned already is left alone: every change wakes the scheduler's thread.
        """
        planned = {job.id: job.trigger.run_date for job in self._scheduler.get_jobs()}
        for name in planned.keys() - wakes.keys():
            self._scheduler.remove_job(name)
        for name, instant in wakes.items():
            at = instant.tz_convert("UTC").floor("us").to_pydatetime()
            if planned.get(name) == at:
                continue
            self._scheduler.add_job(
                self.ring,
                DateTrigger(at, UTC),
                args=(name,),
                id=name,
                name=f"{name} {instant:%Y-%m-%d %H:%M:%S}Z",
                replace_existing=True,
            )

    def ring(self, name: str) -> None:
        """Wakes whoever waits. A signal handler may call it: a pipe has no lock that its own thread may hold."""
        self._rung.append(name)
        with suppress(BlockingIOError):  # it is full of rings that nobody has heard yet
            os.write(self._bell, b".")

    def wait(self, timeout_s: float) -> frozenset[str]:
        """Which wakes came, at most `timeout_s` from now; none where nothing came. Raises SchedulerDied."""
        if select.select([self._heard], [], [], timeout_s)[0]:
            os.read(self._heard, 4096)
        if self._ended.is_set():
            raise SchedulerDied(f"the scheduler's thread is gone: {self._why_ended}; start the daemon again.")
        return frozenset(self._rung.popleft() for _ in range(len(self._rung)))

    def _serve(self) -> None:
        try:
            self._scheduler.start()
        except BaseException as error:  # told by `wait`, in the thread that can act on it
            self._why_ended = f"{type(error).__name__}: {error}"
        finally:
            self._ended.set()
            with suppress(BlockingIOError):
                os.write(self._bell, b".")

    def _went_wrong(self, event: JobEvent) -> None:
        if isinstance(event, JobExecutionEvent) and event.exception is not None:
            logger.error("wake {} failed: {}: {}", event.job_id, type(event.exception).__name__, event.exception)
        elif isinstance(event, JobExecutionEvent):
            logger.warning(
                "wake {} of {:%Y-%m-%d %H:%M:%S} came over {} s late: the machine was busy, slept, or its clock moved",
                *(event.job_id, event.scheduled_run_time, GRACE_S),
            )
        else:
            logger.warning("wake {} came while the one before was still at work", event.job_id)
        self.ring(event.job_id)


class _IntoTheLog(logging.Handler):
    """What only the library's own log tells, such as a job that could not be handed in."""

    def emit(self, record: logging.LogRecord) -> None:
        logger.error("scheduler: {}", " ".join(record.getMessage().split()))


def _log_its_errors() -> None:
    log = logging.getLogger("apscheduler")
    log.handlers, log.propagate = [_IntoTheLog(logging.ERROR)], False
