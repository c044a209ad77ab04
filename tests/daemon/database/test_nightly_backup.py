"""After a settled session there is one backup of it, and no fault of a backup touches a session."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import date
from pathlib import Path

import pandas as pd
import pytest
from loguru import logger
from sqlalchemy import update

from daemon.database.nightly_backup import NightlyBackup
from daemon.services import Services
from daemon.sessions.reconcile import reconcile
from storage.backups import Backup, backups_in
from storage.engine import transaction
from storage.sqlite_file import opened
from storage.tables import runs

ServicesAt = Callable[..., AbstractContextManager[Services]]


@pytest.fixture
def said() -> Iterator[list[str]]:
    lines: list[str] = []
    sink = logger.add(lambda message: lines.append(str(message).strip()), format="{level} {message}", level="INFO")
    yield lines
    logger.remove(sink)


def of(services: Services) -> list[Backup]:
    return backups_in(services.settings.storage.backups)


def with_storage(services: Services, **changed: object) -> Services:
    storage = services.settings.storage.model_copy(update=changed)
    return replace(services, settings=services.settings.model_copy(update={"storage": storage}))


def test_each_settled_session_has_been_backed_up_and_no_decision_makes_another(lived: Path) -> None:
    kept = backups_in(lived / "state" / "backups")
    days = [date(2021, 10, 5), date(2021, 10, 4), date(2021, 10, 1), date(2021, 9, 30), date(2021, 9, 29)]
    assert [one.session for one in kept[:5]] == days
    assert len({one.session for one in kept}) == len(kept)
    with opened(kept[0].path) as connection:
        assert connection.execute("SELECT max(session) FROM account").fetchone() == ("2021-10-05",)


def test_it_is_made_once_whatever_is_started_again(copy: Path, services_at: ServicesAt) -> None:
    for moment in ("2021-10-06 08:50", "2021-10-06 17:00", "2021-10-06 17:01", "2021-10-06 20:00"):
        with services_at(copy, moment) as services:
            reconcile(services)
    assert [one.path.name for one in of(services) if one.session == date(2021, 10, 6)] == [
        "signals-2021-10-06-at-20211006T113000Z.db"
    ]


def test_a_session_that_was_closed_without_a_bar_is_backed_up_once_too(copy: Path, services_at: ServicesAt) -> None:
    shutil.rmtree(copy / "state" / "backups")
    for moment in ("2021-10-05 17:00", "2021-10-05 18:00", "2021-10-05 19:00"):
        with services_at(copy, moment) as services:
            with transaction(services.engine) as conn:
                conn.execute(update(runs).where(runs.c.kind == "settle").values(status="no_data"))
            reconcile(services)
    assert [one.session for one in of(services)] == [date(2021, 10, 5)]


def test_one_that_a_kill_prevented_is_made_by_the_next_start(
    copy: Path, services_at: ServicesAt, said: list[str]
) -> None:
    backups_in(copy / "state" / "backups")[0].path.unlink()
    with services_at(copy, "2021-10-05 22:00") as services:
        assert not reconcile(services).done
    assert of(services)[0].session == date(2021, 10, 5)
    (line,) = [line for line in said if "backup" in line]
    assert line.startswith("INFO backup: ")
    assert line.endswith(" MB, checked")


def test_none_is_begun_when_a_decision_is_near(copy: Path, services_at: ServicesAt) -> None:
    shutil.rmtree(copy / "state" / "backups")
    with services_at(copy, "2021-10-06 08:41") as services:
        reconcile(services)
        assert of(services) == []
    with services_at(copy, "2021-10-06 08:45") as services:
        reconcile(services)
        assert len(of(services)) == 1


def test_a_failure_is_one_line_and_no_session_notices(copy: Path, services_at: ServicesAt, said: list[str]) -> None:
    with services_at(copy, "2021-10-06 17:00") as services:
        (copy / "full").touch()
        broken = with_storage(services, backup_dir=copy / "full")
        assert [task.kind for task in reconcile(broken).done] == ["decide", "settle"]
        assert not reconcile(broken).done
    errors = [line for line in said if line.startswith("ERROR")]
    assert len(errors) == 1
    assert "was not backed up to" in errors[0]


def test_what_failed_is_tried_again_after_an_hour(copy: Path, services_at: ServicesAt) -> None:
    shutil.rmtree(copy / "state" / "backups")
    wake, nightly = pd.Timestamp("2021-10-06 03:15", tz="UTC"), NightlyBackup()
    with services_at(copy, "2021-10-05 17:00") as services:
        nightly.make_if_due(with_storage(services, backup_dir=copy / "config.toml"), next_wake=wake)
        nightly.make_if_due(services, next_wake=wake)
        assert of(services) == []
    with services_at(copy, "2021-10-05 18:01") as services:
        nightly.make_if_due(services, next_wake=wake)
        assert [one.session for one in of(services)] == [date(2021, 10, 5)]


@pytest.mark.parametrize("changed", [{"backups_kept": 0}, {"url": "postgresql+psycopg://daemon@localhost/signals"}])
def test_where_none_are_wanted_or_possible_none_are_made(
    copy: Path, services_at: ServicesAt, changed: dict[str, object], said: list[str]
) -> None:
    shutil.rmtree(copy / "state" / "backups")
    with services_at(copy, "2021-10-05 22:00") as services:
        wake = pd.Timestamp("2021-10-06 03:15", tz="UTC")
        NightlyBackup().make_if_due(with_storage(services, **changed), next_wake=wake)
        assert of(services) == []
    assert said == []
