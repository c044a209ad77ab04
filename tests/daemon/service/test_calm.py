"""A minute in which nothing can have changed asks the ledger nothing; whatever can have changed it ends the calm."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import event

from daemon.service.calm import LONGEST, RESTLESS, calm_until, outside_of
from daemon.service.clock_watch import ClockWatch
from daemon.service.loop import SESSION, TICK, Loop
from daemon.service.service_manager import ServiceManager
from daemon.services import Services
from daemon.sessions.halt import HALT_FILE, halt
from storage.engine import open_store, reading, transaction
from storage.outbox_store import Notice, add_notice
from storage.run_store import read_runs
from storage.tables import LIVE
from tests.daemon.loop_by_hand import SetClock

ServicesAt = Callable[..., AbstractContextManager[Services]]
EVENING = datetime(2021, 10, 5, 11, 40, tzinfo=UTC)
TICKED = frozenset({TICK})


@pytest.fixture
def calm(copy: Path, services_at: ServicesAt) -> Iterator[Loop]:
    """A loop in the evening, with nothing left to do."""
    clock = SetClock(EVENING)
    with services_at(copy, "2021-10-05 17:10") as services:
        loop = Loop(replace(services, clock=clock), ClockWatch(clock), lambda: services.settings, ServiceManager({}))
        for _ in range(3):  # the first may find something to write, such as a backup
            loop.turn(TICKED)
        yield loop


@contextmanager
def asked(loop: Loop) -> Iterator[list[str]]:
    """What is asked of the database meanwhile."""
    statements: list[str] = []
    event.listen(loop.services.engine, "before_cursor_execute", lambda *heard: statements.append(heard[2]))
    yield statements


def ahead(loop: Loop, span: timedelta) -> None:
    loop.services = replace(loop.services, clock=SetClock(loop.services.clock.now() + span))


def test_a_quiet_minute_asks_the_database_nothing_and_plans_the_next(calm: Loop) -> None:
    with asked(calm) as statements:
        for _ in range(4):
            ahead(calm, timedelta(minutes=1))
            assert calm.turn(TICKED) == 60.0
    assert statements == []


def by_another_process(loop: Loop) -> None:
    engine = open_store(loop.services.settings.storage.database_url)
    halt(engine, loop.services.settings, now=EVENING, note="")
    engine.dispose()


def by_the_file(loop: Loop) -> None:
    (loop.services.settings.storage.state_dir / HALT_FILE).touch()


def by_another_database(loop: Loop) -> None:
    database = loop.services.settings.storage.state_dir / "signals.db"
    shutil.copy(database, database.with_suffix(".new"))
    database.with_suffix(".new").replace(database)


@pytest.mark.parametrize("changed", [by_another_process, by_the_file, by_another_database])
def test_whatever_somebody_else_does_ends_the_calm(changed: Callable[[Loop], None], calm: Loop) -> None:
    changed(calm)
    with asked(calm) as statements:
        calm.turn(TICKED)
    assert statements


@pytest.mark.parametrize("rung", [frozenset[str](), frozenset({TICK, SESSION}), frozenset({SESSION})])
def test_every_other_wake_and_a_clock_that_jumped_look_at_the_ledger(rung: frozenset[str], calm: Loop) -> None:
    with asked(calm) as statements:
        calm.turn(rung)
    assert statements


def test_every_few_minutes_it_looks_all_the_same(calm: Loop) -> None:
    ahead(calm, LONGEST)
    with asked(calm) as statements:
        calm.turn(TICKED)
    assert statements


def test_a_tick_alone_decides_what_the_scheduler_forgot_to_wake_for(calm: Loop) -> None:
    ahead(calm, datetime(2021, 10, 6, 3, 14, 30, tzinfo=UTC) - EVENING)
    for _ in range(3):
        calm.turn(TICKED)
    ahead(calm, timedelta(minutes=1))  # within LONGEST, but the decision fell due meanwhile
    calm.turn(TICKED)
    with reading(calm.services.engine) as conn:
        assert (read_runs(conn, LIVE)[0].kind, str(read_runs(conn, LIVE)[0].session)) == ("decide", "2021-10-06")


def test_there_is_no_calm_while_a_message_waits(calm: Loop) -> None:
    with transaction(calm.services.engine) as conn:
        add_notice(conn, ["json-1"], Notice("signal:1", "signal", "", ""), at=EVENING)
    assert calm_until(calm.services, EVENING + LONGEST, outside_of(calm.services)) == RESTLESS


def test_what_is_written_while_it_looks_is_not_taken_for_old(calm: Loop) -> None:
    before = outside_of(calm.services)
    by_another_process(calm)
    assert not calm_until(calm.services, EVENING + LONGEST, before).lasts(calm.services)
