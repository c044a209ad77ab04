"""The bell rings at planned instants, and never falls silent without a word."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import pandas as pd
import pytest
from apscheduler.schedulers.blocking import BlockingScheduler

from daemon.service.waker import GRACE_S, SchedulerDied, Waker

LONG_S = 30.0


def in_seconds(seconds: float) -> pd.Timestamp:
    return pd.Timestamp.now(tz="UTC") + pd.Timedelta(seconds=seconds)


@contextmanager
def awake(waker: Waker) -> Iterator[Waker]:
    with waker.awake():
        yield waker


def test_it_rings_at_the_planned_instant_and_says_which() -> None:
    with awake(Waker()) as waker:
        waker.plan({"tick": in_seconds(0.05), "session": in_seconds(3600)})
        assert waker.wait(LONG_S) == {"tick"}


def test_an_instant_in_any_zone_is_the_same_instant() -> None:
    with awake(Waker()) as waker:
        waker.plan({"session": in_seconds(0.05).tz_convert("Asia/Kolkata")})
        assert waker.wait(LONG_S) == {"session"}


def test_what_is_no_longer_planned_does_not_ring() -> None:
    with awake(Waker()) as waker:
        waker.plan({"session": in_seconds(0.3)})
        waker.plan({"tick": in_seconds(0.6)})
        assert waker.wait(LONG_S) == {"tick"}


def test_what_is_planned_already_is_left_alone() -> None:
    """Each change wakes a thread, and an idle daemon plans every minute."""

    class Counting(BlockingScheduler):  # type: ignore[misc]  # the library has no types
        added: ClassVar[list[str]] = []

        def add_job(self, *given: Any, **named: Any) -> Any:
            self.added.append(named["id"])
            return super().add_job(*given, **named)

    with awake(Waker(Counting)) as waker:
        session, sooner = in_seconds(3600), in_seconds(1800)
        waker.plan({"session": session, "tick": in_seconds(60)})
        waker.plan({"session": session.tz_convert("Asia/Kolkata"), "tick": in_seconds(120)})
        waker.plan({"session": sooner})
    assert Counting.added == ["session", "tick", "tick", "session"]


def test_a_wake_that_is_past_its_grace_is_told_as_missed_and_wakes_all_the_same(lines: list[str]) -> None:
    with awake(Waker()) as waker:
        waker.plan({"session": in_seconds(-GRACE_S - 3600)})
        assert waker.wait(LONG_S) == {"session"}
    assert any(f"came over {GRACE_S} s late" in line for line in lines)


def test_years_of_missed_wakes_are_one_wake() -> None:
    with awake(Waker()) as waker:
        waker.plan({"tick": in_seconds(-50 * 365 * 86_400)})
        assert waker.wait(LONG_S) == {"tick"}
        assert waker.wait(0.2) == frozenset()


def test_a_signal_handler_can_ring_while_the_same_thread_waits() -> None:
    with awake(Waker()) as waker:
        before = signal.signal(signal.SIGHUP, lambda *_: waker.ring("reload"))
        try:
            threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGHUP)).start()
            assert waker.wait(LONG_S) == {"reload"}
        finally:
            signal.signal(signal.SIGHUP, before)


class DyingScheduler(BlockingScheduler):  # type: ignore[misc]
    """Dies as the library does when its job store is locked at the wrong moment."""

    def _process_jobs(self) -> float:
        raise OSError("database is locked")


def test_a_scheduler_that_dies_is_noticed_and_its_reason_told() -> None:
    with awake(Waker(DyingScheduler)) as waker:
        waker.plan({"tick": in_seconds(0.05)})
        with pytest.raises(SchedulerDied, match="OSError: database is locked; start the daemon again"):
            waker.wait(LONG_S)
