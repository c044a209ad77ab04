"""Real SIGKILLs of the real process, at named points and at random instants: the next start ends with the same rows."""

import shutil
import sqlite3
from collections import Counter
from datetime import date
from pathlib import Path
from signal import SIGKILL
from subprocess import TimeoutExpired

import numpy as np
import pytest

from daemon.reconcile import reconcile
from ensemble.sessions import load_calendar
from tests.daemon.faults.cheap import assert_same, rows_of, write_cheap
from tests.daemon.faults.process import Daemon, running
from tests.daemon.faults.world import ServicesAt

FIRST, LAST = date(2020, 3, 2), date(2023, 3, 31)
BEGIN, NOW = "2020-03-02T05:00:00Z", "2023-04-01T06:00:00Z"
"""Monday and, three years later, a Saturday: nothing falls due while the test runs."""
CAUGHT_UP = "next wake 2023-04-03"
KILLS = 200
LONGEST_LIFE_S = 2.5
"""Of one that got to its sessions; a month's training, with the start of its process, takes about one and a half."""
KILLED = """
import os, signal, {module}
work = {module}.{name}
def killed(*given, **named):
    work(*given, **named)
    os.kill(os.getpid(), signal.SIGKILL)
{module}.{name} = killed
"""
IN_TRANSACTIONS = (
    "daemon.ingest.write_all_bars",
    "daemon.reconcile.write_decisions",
    "daemon.reconcile.write_settlement",
)
ELSEWHERE = (
    *("daemon.reconcile.ingest", "daemon.reconcile.reopen", "daemon.reconcile.follow_file"),
    *("daemon.reconcile.hand_over", "daemon.reconcile.write_outcomes", "daemon.reconcile.write_runs"),
    "daemon.reconcile._do",
    *("daemon.ingest.newest_of", "daemon.ingest.read_newest_bars", "daemon.ingest.ask", "daemon.ingest.spotless"),
    *("daemon.ingest.next_sighting", "daemon.ingest.write_actions", "daemon.ingest.write_quarantine"),
    *("storage.bar_store._insert_block", "storage.bar_store._note_sighting", "daemon.ingest._keep"),
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


@pytest.fixture(scope="module")
def asleep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An installation that decided one session and was then left alone for three years."""
    folder = write_cheap(tmp_path_factory.mktemp("asleep"), last=LAST)
    with running(folder, BEGIN, job="run-once") as daemon:
        assert daemon.process.wait(timeout=60) == 0, daemon.lines
    return folder


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_two_hundred_kills_lose_no_session_and_double_none(asleep: Path, tmp_path: Path) -> None:
    unkilled, killed = (Path(shutil.copytree(asleep, tmp_path / name)) for name in ("unkilled", "killed"))
    caught_up(unkilled)
    random, hit = np.random.default_rng(7), Counter[str]()
    for number in range(KILLS):
        with running(killed, NOW) as daemon:
            at_work = number % 2 == 1
            if at_work:
                daemon.wait_for(f"bars: |{CAUGHT_UP}", within_s=300)
            live_on(daemon, random.uniform(0, LONGEST_LIFE_S))
        hit[what_it_did(daemon)] += 1
        assert integrity(killed) == ["ok"]
        print(number + 1, dict(hit), flush=True)
    caught_up(killed)
    assert_same(rows_of(killed), rows_of(unkilled))
    runs = rows_of(killed)["runs"]
    sessions = [f"{day:%Y-%m-%d}" for day in load_calendar("XNSE", first=FIRST, last=LAST).sessions]
    for kind in ("decide", "settle"):
        done = runs[(runs["kind"] == kind) & (runs["status"] == "done")]
        assert done["session"].tolist() == sessions
    assert sum(hit[job] for job in ("decide", "settle", "training")) > KILLS / 4, hit


def live_on(daemon: Daemon, seconds: float) -> None:
    """As long as it is given, unless it ends by itself, which it must not."""
    try:
        daemon.process.wait(timeout=seconds)
    except TimeoutExpired:
        return
    raise AssertionError("\n".join(daemon.lines))


def caught_up(folder: Path) -> None:
    with running(folder, NOW) as daemon:
        daemon.wait_for(CAUGHT_UP, within_s=1500)
        daemon.process.terminate()
        assert daemon.process.wait(timeout=30) == 0


def what_it_did(daemon: Daemon) -> str:
    """By the last of its lines: the next thing was under way."""
    words = ("training", "decide", "settle", "bars: ", "started", CAUGHT_UP)
    last = next((line for line in reversed(daemon.lines) if any(word in line for word in words)), "")
    return next((word.strip(": ") for word in words if word in last), "not up yet")


def integrity(folder: Path) -> list[str]:
    database = sqlite3.connect(folder / "state" / "signals.db")
    try:
        faults = [str(row) for row in database.execute("PRAGMA foreign_key_check")]
        return [row[0] for row in database.execute("PRAGMA integrity_check")] + faults
    finally:
        database.close()
