"""A combiner fitted in a process of its own is the one fitted here, and leaves nothing behind."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from daemon.services import Services
from daemon.sessions.desk import home_calendar, open_desk
from daemon.training.child import TaskLimits
from daemon.training.combining import CombinerTask, fit_apart, fit_here, fitted
from daemon.training.trainer import TrainingFailed
from ensemble.members.fitted import Files

ServicesAt = Callable[..., AbstractContextManager[Services]]
ROOT = Path(__file__).parents[3]
LIMITS = TaskLimits(timeout_min=1, memory_mb=2000, threads=1)
MONTH_TURN = """
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from daemon.clock import FixedClock
from daemon.training.combining import fit_apart
from daemon.invocation import Invocation, services_of
from daemon.models.judging import judge_apart
from daemon.sessions.reconcile import reconcile
morning = FixedClock(datetime(2021, 11, 1, 3, 20, tzinfo=UTC))
with services_of(Invocation(Path(sys.argv[1]), False), morning, quiet=True) as services:
    reconcile(replace(services, fit=fit_apart, judge=judge_apart))
print(sorted({"lightgbm", "numba", "pyarrow", "scipy", "sklearn"} & set(sys.modules)))
"""


@pytest.fixture
def task(copy: Path, services_at: ServicesAt) -> Iterator[CombinerTask]:
    """The combiner of the month that the installation lived through."""
    with services_at(copy, "2021-10-05 17:00") as services:
        calendar = home_calendar(services.settings, services.clock.now())
        factory = open_desk(services, calendar, last=calendar.previous(calendar.sessions[-1], 20)).factory
        yield CombinerTask(factory.history("2021-10"), services.settings.ensemble.stack, seed=7)


def test_it_is_the_same_to_the_byte(task: CombinerTask) -> None:
    assert fit_apart(task, LIMITS) == fit_here(task)


def test_one_that_takes_too_much_is_a_training_that_failed(task: CombinerTask) -> None:
    with pytest.raises(TrainingFailed, match=r"the combiner was not fitted: it took \d+ MB"):
        fit_apart(task, TaskLimits(timeout_min=1, memory_mb=1, threads=1))


def out_of_memory(task: CombinerTask, limits: TaskLimits) -> Files:
    raise MemoryError("Unable to allocate 2 GiB")


def test_whatever_a_library_raises_is_a_training_that_failed(task: CombinerTask) -> None:
    assert fitted(task, LIMITS, fit_here) == fit_here(task)
    with pytest.raises(TrainingFailed, match="the combiner was not fitted: MemoryError: Unable to allocate 2 GiB"):
        fitted(task, LIMITS, out_of_memory)


@pytest.mark.slow
def test_a_month_turn_leaves_no_heavy_library_in_the_daemon(copy: Path) -> None:
    words = [sys.executable, "-c", MONTH_TURN, str(copy / "config.toml")]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=110, check=False)
    assert "model 2021-11" in done.stdout + (copy / "state" / "reliance-daemon.log").read_text()
    assert done.stdout.splitlines()[-1] == "[]", done.stderr
