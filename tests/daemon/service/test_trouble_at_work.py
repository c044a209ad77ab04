"""What becomes of the database while the daemon is up: locked, taken away, replaced."""

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from daemon.config.settings import StorageOptions
from daemon.database.opening import open_database
from daemon.service.loop import Loop
from daemon.services import Services
from storage.engine import transaction
from storage.errors import GoneStore
from storage.sqlite_file import opened
from tests.daemon.loop_by_hand import SetClock, loop_under

ServicesAt = Callable[..., AbstractContextManager[Services]]
MORNING = datetime(2021, 10, 6, 3, 20, tzinfo=UTC)


@contextmanager
def loop_in(folder: Path, services_at: ServicesAt) -> Iterator[tuple[Loop, SetClock]]:
    hands = SetClock(MORNING)
    with services_at(folder, "2021-10-05 17:00") as services:
        yield loop_under(hands, services), hands


def decided(folder: Path) -> list[Any]:
    with opened(folder / "state" / "signals.db") as database:
        return database.execute("SELECT * FROM signals ORDER BY session, symbol").fetchall()


def test_a_database_that_is_locked_for_five_minutes_is_waited_for_and_the_session_decided(
    copy: Path, services_at: ServicesAt, tmp_path: Path
) -> None:
    database, undisturbed = copy / "state" / "signals.db", Path(shutil.copytree(copy, tmp_path / "undisturbed"))
    config = (copy / "config.toml").read_text()
    (copy / "config.toml").write_text(f'{config}\n[storage]\nurl = "sqlite:///{database}?timeout=0.02"\n')
    before, statuses = decided(copy), []
    with loop_in(copy, services_at) as (loop, hands):
        with closing(sqlite3.connect(database, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            while hands.instant < MORNING + timedelta(minutes=5):
                hands.instant += timedelta(seconds=loop.turn())
                statuses.append(loop.status)
            assert decided(copy) == before
        loop.turn()
        assert loop.status == ""
    assert len(statuses) >= 3
    assert all("stayed locked by another program" in status for status in statuses)
    with loop_in(undisturbed, services_at) as (loop, at_once):
        at_once.instant = hands.instant
        loop.turn()
    assert decided(copy) == decided(undisturbed)
    assert len(decided(copy)) == len(before) + 1


@pytest.mark.parametrize("replaced", [False, True])
def test_a_database_that_is_taken_away_at_work_ends_the_daemon_rather_than_being_written_to(
    replaced: bool, copy: Path, services_at: ServicesAt
) -> None:
    database = copy / "state" / "signals.db"
    with loop_in(copy, services_at) as (loop, _):
        loop.services.engine.connect().close()
        database.rename(copy / "elsewhere.db")
        if replaced:
            shutil.copy(copy / "elsewhere.db", database)
        with pytest.raises(GoneStore, match=r"was moved, removed or replaced while it was open; start again"):
            loop.turn()
    assert database.exists() == replaced


def test_a_new_database_that_is_taken_away_is_noticed_too(tmp_path: Path) -> None:
    engine = open_database(StorageOptions(state_dir=tmp_path), SetClock(MORNING))
    (tmp_path / "signals.db").unlink()
    with pytest.raises(GoneStore), transaction(engine):
        pass
    engine.dispose()
