"""`idle`: what the resident daemon costs while it waits, and how soon after a wake its signal is committed."""

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.bench.measure import interleaved, process_cost, resident_mb
from tests.bench.options import Options
from tests.bench.resident import cold_lag_s, resident
from tests.bench.result import Figure, Result, median_figure, ratio_figure
from tests.bench.session import REFERENCE as IMPORTING
from tests.bench.session import STATE, require_demo_state

REFERENCE = "import pandas, sqlalchemy, apscheduler.schedulers.blocking"
SESSION, DUE = "2018-12-31", datetime(2018, 12, 31, 14, tzinfo=UTC)
EVENING = datetime(2018, 12, 31, 21, 59, 50, tzinfo=UTC)
BEFORE = timedelta(seconds=15)
"""It has to be up, and to have settled the session before, when the decision falls due."""
AFTERWARDS_S = 5.0
REPETITIONS = 3


@dataclass(frozen=True, slots=True)
class _Woken:
    """A daemon that was up when a decision fell due."""

    lag_s: float
    memory_mb: float
    cpu_per_hour_s: float | None = None


def run(options: Options) -> Result:
    """Works on copies of the state that `make demo` leaves behind, so that nothing of it changes."""
    require_demo_state()
    repetitions, idle_s = options.repetitions or REPETITIONS, options.pick(125, 3600)
    lags = interleaved(
        {
            "importing": lambda: process_cost(IMPORTING, {}).wall_s,
            "cold": _cold,
            "warm": lambda: _warm().lag_s,
        },
        repetitions,
    )
    idle, retrained_mb, reference_mb = _warm(idle_s), _after_retrain(), _reference_mb()
    return Result(
        f"S&P 500 and NASDAQ from `make demo`, idle for {idle_s} s",
        (
            Figure("memory after a session", idle.memory_mb, "MB", at_most=150),
            Figure("memory after a month's training", retrained_mb, "MB", at_most=150),
            Figure("pandas, SQLAlchemy and APScheduler alone", reference_mb, "MB"),
            Figure("memory after a session : these alone", idle.memory_mb / reference_mb, "x"),
            Figure("CPU time of an idle hour", idle.cpu_per_hour_s or 0.0, "s", at_most=3.6),
            median_figure("importing the libraries", lags["importing"], "s"),
            median_figure("start of run-once to committed signal", lags["cold"], "s"),
            ratio_figure("start of run-once to committed signal : importing", lags["cold"], lags["importing"]),
            median_figure("wake of run to committed signal", lags["warm"], "s", at_most=3),
            ratio_figure("wake of run to committed signal : importing", lags["warm"], lags["importing"]),
        ),
    )


def _cold() -> float:
    with _state() as state:
        return cold_lag_s(state, SESSION, DUE.isoformat())


def _warm(idle_s: float = 0.0) -> _Woken:
    with _state() as state, resident(state, DUE - BEFORE) as daemon:
        lag_s = daemon.lag_s(SESSION, DUE)
        daemon.wait_for("next wake 2018-12-31 22:00Z")
        time.sleep(AFTERWARDS_S)
        memory_mb, before_s = daemon.memory_mb(), daemon.cpu_s()
        if not idle_s:
            return _Woken(lag_s, memory_mb)
        time.sleep(idle_s)
        return _Woken(lag_s, daemon.memory_mb(), (daemon.cpu_s() - before_s) * 3600 / idle_s)


def _after_retrain() -> float:
    """Megabytes, once the last session of a month is settled and the next month's models are made."""
    with _state() as state, resident(state, EVENING) as daemon:
        daemon.wait_for("next wake 2019-01-02")
        time.sleep(AFTERWARDS_S)
        return daemon.memory_mb()


def _reference_mb() -> float:
    """Megabytes of a process that has imported what the daemon is built on, and waits."""
    words = [sys.executable, "-c", f"{REFERENCE}; print(flush=True); input()"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        held_mb = resident_mb(process.pid)
        process.terminate()
    return held_mb


@contextmanager
def _state() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        yield Path(shutil.copytree(STATE, Path(folder) / "state"))
