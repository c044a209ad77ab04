"""Real SIGKILLs of the real process, at named points and at random instants: the next start ends with the same rows."""

import shutil
import sqlite3
import time
from collections import Counter
from datetime import date
from importlib import import_module
from pathlib import Path
from signal import SIGKILL

import numpy as np
import pytest

from daemon.sessions.reconcile import reconcile
from ensemble.sessions import load_calendar
from tests.daemon.faults.cheap import Rows, assert_same, rows_of, write_cheap
from tests.daemon.faults.process import Daemon, running
from tests.daemon.faults.world import ServicesAt

FIRST, LAST = date(2020, 3, 2), date(2021, 12, 31)
BEGIN, NOW = "2020-03-02T05:00:00Z", "2022-01-01T06:00:00Z"
"""Monday and, 22 months later, a Saturday: nothing falls due while the test runs."""
CAUGHT_UP = "next wake 2022-01-03"
KILLS, KILLS_IN_TRAININGS = 200, 20
LONGEST_WORK_STEPS = 20
"""Steps that one that is to be killed at work has told of, at most; a session takes five."""
LONGEST_STEP_S, LONGEST_TRAINING_S = 0.2, 2.5
TELLING = """
import sys
from importlib import import_module
steps = []
def tell(step):
    sys.stderr.write(f"now {step}\\n")
def telling(owner, name, step):
    work = getattr(owner, name)
    def told(*given, **named):
        steps.append(step)
        tell(step)
        try:
            return work(*given, **named)
        finally:
            steps.pop()
            tell(steps[-1] if steps else "between two steps")
    setattr(owner, name, told)
for where, name, step in STEPS:
    module, _, owner = where.partition(":")
    found = import_module(module)
    telling(getattr(found, owner) if owner else found, name, step)
"""
STEPS = (
    ("daemon.sessions.reconcile", "ingest", "reading the feed"),
    ("daemon.sessions.reconcile", "open_desk", "opening the desk"),
    ("daemon.sessions.reconcile", "_decide", "deciding"),
    ("daemon.sessions.reconcile", "write_decisions", "writing a decision"),
    ("daemon.sessions.reconcile", "_settle", "settling"),
    ("daemon.sessions.reconcile", "write_settlement", "writing a settlement"),
    ("daemon.models.factory:ModelFactory", "publish", "training"),
    ("daemon.models.shelf", "write_model", "publishing a model"),
    ("daemon.health.metrics_page:MetricsPage", "publish", "publishing the metrics"),
    ("daemon.database.nightly_backup:NightlyBackup", "make_if_due", "making a backup"),
    ("daemon.service.loop:Loop", "_waited", "idle"),
)
"""What the killed process says that it is at, each time that it begins something or goes back to it."""
NOT_AT_WORK = ("starting", "between two steps", "idle")
KILLED = """
import os, signal, {module}
work = {module}.{name}
def killed(*given, **named):
    work(*given, **named)
    os.kill(os.getpid(), signal.SIGKILL)
{module}.{name} = killed
"""
IN_TRANSACTIONS = (
    "daemon.bars.ingest.write_all_bars",
    "daemon.sessions.reconcile.write_decisions",
    "daemon.sessions.reconcile.write_settlement",
)
ELSEWHERE = (
    *(f"daemon.sessions.reconcile.{step}" for step in ("ingest", "reopen", "follow_file", "hand_over", "_do")),
    *(f"daemon.sessions.reconcile.{step}" for step in ("write_outcomes", "write_runs")),
    *(f"daemon.bars.ingest.{step}" for step in ("newest_of", "read_newest_bars", "ask", "spotless", "next_sighting")),
    *(f"daemon.bars.ingest.{step}" for step in ("write_actions", "write_quarantine", "_keep")),
    *(f"storage.bar_store.{step}" for step in ("_insert_block", "_note_sighting")),
)
"""Functions at whose end it is killed: between two transactions, and at the end of one."""


@pytest.mark.parametrize("point", [*IN_TRANSACTIONS, *(pytest.param(one, marks=pytest.mark.slow) for one in ELSEWHERE)])
def test_killed_at_a_point_of_a_session_it_does_the_rest_at_its_next_start(
    point: str, cheap: Path, services_at: ServicesAt
) -> None:
    """One session, from its decision to its settlement, which was missed in the morning."""
    unkilled = Path(shutil.copytree(cheap, cheap.with_name("unkilled")))
    module, _, name = point.rpartition(".")
    with running(
        cheap, "2021-10-06T11:30:00Z", job="run-once", patch=KILLED.format(module=module, name=name)
    ) as daemon:
        assert daemon.process.wait(timeout=60) == -SIGKILL, daemon.lines
    assert integrity(cheap) == ["ok"]
    for folder in (cheap, unkilled):
        with services_at(folder, "2021-10-06 17:01") as services:
            reconcile(services)
    assert_same(rows_of(cheap), rows_of(unkilled))
    assert rows_of(cheap)["runs"]["session"].tolist().count("2021-10-06") == 2


@pytest.mark.parametrize(("where", "name"), [step[:2] for step in STEPS])
def test_every_step_that_a_killed_process_is_to_tell_of_is_there(where: str, name: str) -> None:
    module, _, owner = where.partition(":")
    found = import_module(module)
    assert callable(getattr(getattr(found, owner) if owner else found, name))


@pytest.fixture(scope="module")
def asleep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An installation that decided one session and was then left alone for 22 months."""
    folder = write_cheap(tmp_path_factory.mktemp("asleep"), last=LAST)
    with running(folder, BEGIN, job="run-once") as daemon:
        assert daemon.process.wait(timeout=60) == 0, daemon.lines
    return folder


@pytest.fixture(scope="module")
def unkilled(asleep: Path, tmp_path_factory: pytest.TempPathFactory) -> Rows:
    """What it makes up for when nobody kills it."""
    return caught_up(Path(shutil.copytree(asleep, tmp_path_factory.mktemp("unkilled") / "copy")))


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_two_hundred_kills_lose_no_session_and_double_none(asleep: Path, tmp_path: Path, unkilled: Rows) -> None:
    killed = Path(shutil.copytree(asleep, tmp_path / "killed"))
    random, hit = np.random.default_rng(7), Counter[str]()
    for _ in range(KILLS):
        kill_one(killed, int(random.integers(0, LONGEST_WORK_STEPS)), random, hit)
    rows = caught_up(killed)
    assert_same(rows, unkilled)
    runs = rows["runs"]
    sessions = [f"{day:%Y-%m-%d}" for day in load_calendar("XNSE", first=FIRST, last=LAST).sessions]
    for kind in ("decide", "settle"):
        done = runs[(runs["kind"] == kind) & (runs["status"] == "done")]
        assert done["session"].tolist() == sessions
    assert sum(hit[step] for step in NOT_AT_WORK) < KILLS / 4, hit


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_twenty_kills_in_trainings_lose_no_session_and_train_the_same(
    asleep: Path, tmp_path: Path, unkilled: Rows
) -> None:
    killed = Path(shutil.copytree(asleep, tmp_path / "killed"))
    random, hit = np.random.default_rng(8), Counter[str]()
    for _ in range(KILLS_IN_TRAININGS):
        kill_one(killed, "training", random, hit)
    assert_same(caught_up(killed), unkilled)
    assert hit["training"] + hit["publishing a model"] > KILLS_IN_TRAININGS / 2, hit


def kill_one(folder: Path, awaited: int | str, random: np.random.Generator, hit: Counter[str]) -> None:
    """Starts it, and kills it a moment after it has told of so many steps, or of this one."""
    with running(folder, NOW, patch=f"STEPS = {STEPS}\n{TELLING}") as daemon:
        wait_for_steps(daemon, awaited)
        trains = what_it_did(daemon) == "training"
        time.sleep(random.uniform(0, LONGEST_TRAINING_S if trains else LONGEST_STEP_S))
        assert daemon.process.poll() is None, daemon.lines
    hit[what_it_did(daemon)] += 1
    assert integrity(folder) == ["ok"]
    print(hit.total(), dict(hit), flush=True)


def wait_for_steps(daemon: Daemon, awaited: int | str) -> None:
    """Until it has told of so many of its steps (none: it starts) or of this one, or that it has nothing to do."""
    end = time.monotonic() + 300
    while time.monotonic() < end:
        told = [line.removeprefix("now ") for line in daemon.lines if line.startswith("now ")]
        if "idle" in told or (awaited in told if isinstance(awaited, str) else len(told) >= awaited):
            return
        assert daemon.process.poll() is None, daemon.lines
        time.sleep(0.005)
    raise AssertionError(daemon.lines)


def caught_up(folder: Path) -> Rows:
    with running(folder, NOW) as daemon:
        daemon.wait_for(CAUGHT_UP, within_s=1500)
        daemon.process.terminate()
        assert daemon.process.wait(timeout=30) == 0
    return rows_of(folder)


def what_it_did(daemon: Daemon) -> str:
    """The last thing that it told of."""
    told = [line.removeprefix("now ") for line in daemon.lines if line.startswith("now ")]
    return told[-1] if told else "starting"


def integrity(folder: Path) -> list[str]:
    database = sqlite3.connect(folder / "state" / "signals.db")
    try:
        faults = [str(row) for row in database.execute("PRAGMA foreign_key_check")]
        return [row[0] for row in database.execute("PRAGMA integrity_check")] + faults
    finally:
        database.close()
