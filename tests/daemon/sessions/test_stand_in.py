"""When a month's retraining fails, the model before it serves on, and says so; a backtest fails instead."""

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from loguru import logger
from sqlalchemy import text

from daemon.backtests.backtest import backtest
from daemon.services import Services
from daemon.sessions.reconcile import reconcile
from daemon.training.child import TaskLimits
from daemon.training.combining import CombinerTask
from daemon.training.trainer import TrainingFailed
from ensemble.members.fitted import Files
from storage.engine import reading

ServicesAt = Callable[..., AbstractContextManager[Services]]
TOO_SHORT = "task_timeout_min = 0.0001"
TOO_SMALL = "task_memory_mb = 100"


@pytest.fixture
def warnings() -> Iterator[list[str]]:
    found: list[str] = []
    handler = logger.add(lambda line: found.append(str(line).strip()), format="{message}", level="WARNING")
    yield found
    logger.remove(handler)


def limit(folder: Path, line: str) -> None:
    """From now on no member can be trained."""
    config = folder / "config.toml"
    config.write_text(config.read_text().replace("[workers]\n", f"[workers]\n{line}\n"))


def lift(folder: Path, line: str) -> None:
    config = folder / "config.toml"
    config.write_text(config.read_text().replace(f"{line}\n", ""))


def rows(services: Services, sql: str) -> list[tuple[Any, ...]]:
    with reading(services.engine) as conn:
        return [tuple(row) for row in conn.execute(text(sql))]


def speakers(services: Services, session: str) -> list[tuple[Any, ...]]:
    return rows(services, f"SELECT DISTINCT substr(model_id, 1, 7) FROM forecasts WHERE session = '{session}'")


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (TOO_SHORT, r"it was not done in workers\.task_timeout_min, 0\.0001 minutes, and was ended; raise that, or "),
        (TOO_SMALL, r"it took \d+ MB, more than workers\.task_memory_mb, 100, and was ended; raise that, or "),
    ],
)
def test_when_no_model_can_be_trained_the_one_of_the_month_before_serves_on_and_says_so(
    line: str, why: str, copy: Path, services_at: ServicesAt, warnings: list[str]
) -> None:
    limit(copy, line)
    with services_at(copy, "2021-11-02 08:50") as services:
        reconcile(services)
        assert speakers(services, "2021-11-02") == [("2021-10",)]
        notes = rows(services, "SELECT detail FROM runs WHERE kind = 'decide' AND session >= '2021-11-01'")
        health = rows(services, "SELECT detail FROM v_run_health WHERE kind = 'decide'")
    told = rf"model 2021-10-\w+ still serves, because member \w+ was not trained: {why}"
    assert all(re.search(rf"\); {told}", note) for (note,) in (*notes, *health))
    assert len(notes) == 2
    (warning,) = warnings  # the training was tried once, though two sessions of the month were caught up with
    assert re.match(rf"2021-11: {told}.* It is tried again with the next session\.$", warning)


@pytest.mark.parametrize(("oldest", "reasons"), [(2, '["CONFIDENT"]'), (1, '["STALE_MODEL"]')])
def test_a_stand_in_older_than_is_allowed_forecasts_and_nothing_is_done(
    oldest: int, reasons: str, copy: Path, services_at: ServicesAt
) -> None:
    limit(copy, TOO_SHORT)
    config = copy / "config.toml"
    config.write_text(config.read_text().replace("[signals]\n", f"[signals]\nmax_model_age_months = {oldest}\n"))
    with services_at(copy, "2021-11-02 08:50") as services:
        reconcile(services)
        assert speakers(services, "2021-11-02") == [("2021-10",)]
        assert rows(services, "SELECT reasons FROM signals WHERE session = '2021-11-02'") == [(reasons,)]


@pytest.mark.slow
def test_what_failed_in_the_morning_is_tried_again_after_the_close(copy: Path, services_at: ServicesAt) -> None:
    limit(copy, TOO_SHORT)
    with services_at(copy, "2021-11-02 08:50") as services:
        reconcile(services)
    lift(copy, TOO_SHORT)
    with services_at(copy, "2021-11-02 17:00") as services:
        reconcile(services)
        assert rows(services, "SELECT count(*) FROM models WHERE month = '2021-11'") == [(1,)]
    with services_at(copy, "2021-11-03 08:50") as services:
        reconcile(services)
        assert speakers(services, "2021-11-03") == [("2021-11",)]
        newest = rows(services, "SELECT detail FROM runs WHERE kind = 'decide' AND session = '2021-11-03'")
        assert "still serves" not in newest[0][0]


def out_of_memory(task: CombinerTask, limits: TaskLimits) -> Files:
    raise MemoryError("Unable to allocate 2 GiB")


@pytest.mark.slow  # it trains a month
def test_when_no_combiner_can_be_fitted_the_version_of_the_month_before_serves_on(
    copy: Path, services_at: ServicesAt
) -> None:
    with services_at(copy, "2021-11-01 08:50") as services:
        reconcile(replace(services, fit=out_of_memory))
        assert speakers(services, "2021-11-01") == [("2021-10",)]
        ((note,),) = rows(services, "SELECT detail FROM runs WHERE kind = 'decide' AND session = '2021-11-01'")
    assert "still serves, because the combiner was not fitted: MemoryError: Unable to allocate 2 GiB" in note


def test_when_no_version_can_be_kept_the_one_of_the_month_before_serves_on(copy: Path, services_at: ServicesAt) -> None:
    records = copy / "state" / "models" / "records"
    records.rename(copy / "elsewhere")
    records.write_text("no folder, so nothing can be written into it")
    with services_at(copy, "2021-11-01 08:50") as services:
        reconcile(services)
        assert speakers(services, "2021-11-01") == [("2021-10",)]
        ((note,),) = rows(services, "SELECT detail FROM runs WHERE kind = 'decide' AND session = '2021-11-01'")
    assert re.search(r"model 2021-10-\w+ still serves, because model folder .* cannot be written", note)


@dataclass
class MovedClock:
    instant: datetime

    def now(self) -> datetime:
        return self.instant


@pytest.mark.slow
def test_a_training_that_would_make_the_decision_late_is_left_for_the_next_time(
    copy: Path, services_at: ServicesAt
) -> None:
    with services_at(copy, "2021-11-02 08:50") as services:
        clock = MovedClock(services.clock.now())

        def lasting(items: Iterable[Any], *, total: int, label: str) -> Iterator[Any]:
            clock.instant = datetime(2021, 11, 2, 3, 43, tzinfo=UTC)  # two minutes to the open
            yield from items

        reconcile(replace(services, clock=clock, progress=lasting))
        assert speakers(services, "2021-11-02") == [("2021-10",)]
        assert rows(services, "SELECT DISTINCT late FROM forecasts WHERE session = '2021-11-02'") == [(0,)]
        (note,) = rows(services, "SELECT detail FROM runs WHERE kind = 'decide' AND session = '2021-11-02'")
        assert "still serves, because its training was not done before the session's open" in note[0]
    with services_at(copy, "2021-11-02 17:00") as services:
        reconcile(services)
        assert rows(services, "SELECT count(*) FROM models WHERE month = '2021-11'") == [(1,)]


def test_a_backtest_never_uses_the_model_of_another_month(copy: Path, services_at: ServicesAt) -> None:
    limit(copy, TOO_SHORT)
    with services_at(copy, "2021-11-30 17:00") as services, pytest.raises(TrainingFailed, match="was not trained"):
        backtest(services, first=date(2021, 11, 1), last=date(2021, 11, 3))


def test_without_an_earlier_model_a_training_that_fails_is_an_error(
    tmp_path: Path, write_installation: Callable[[Path], Path], services_at: ServicesAt
) -> None:
    folder = write_installation(tmp_path / "fresh")
    limit(folder, TOO_SHORT)
    with services_at(folder, "2021-10-01 08:50") as services:
        with pytest.raises(TrainingFailed, match="was not trained"):
            reconcile(services)
        assert rows(services, "SELECT status FROM runs WHERE kind = 'decide'") == [("failed",)]


def test_a_model_of_another_recipe_does_not_stand_in(copy: Path, services_at: ServicesAt) -> None:
    limit(copy, TOO_SHORT)
    config = copy / "config.toml"
    config.write_text(config.read_text().replace("penalty = 10", "penalty = 11"))
    with services_at(copy, "2021-10-06 08:50") as services, pytest.raises(TrainingFailed, match="was not trained"):
        reconcile(services)
