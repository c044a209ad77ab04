"""A real `reliance-daemon run` on a copy of the demo's state, at a chosen instant of 2018, looked at from outside."""

import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.bench.market import ROOT
from tests.bench.measure import resident_mb

CONFIG = ROOT / "docs" / "examples" / "demo.toml"
PATIENCE_S = 300.0
LOOK_EVERY_S = 0.005


@dataclass(frozen=True, slots=True)
class Resident:
    """A daemon at work."""

    process: "subprocess.Popen[bytes]"
    state: Path
    ahead: timedelta
    """How far its clock is ahead of this machine's."""

    def memory_mb(self) -> float:
        """What it holds now."""
        return resident_mb(self.process.pid)

    def cpu_s(self) -> float:
        """CPU time of all its threads so far."""
        return time.clock_gettime((~self.process.pid) << 3 | 2)  # the kernel's number of another process's CPU clock

    def wait_for(self, words: str) -> None:
        """Returns when its log has said so. Raises TimeoutError, and RuntimeError when it has ended."""
        log = self.state / "reliance-daemon.log"
        wait_until(self.process, lambda: log.exists() and words in log.read_text(encoding="utf-8"))

    def lag_s(self, session: str, due: datetime) -> float:
        """From the instant when a decision falls due by its clock to the committed signal."""
        wait_until(self.process, lambda: has_signal(self.state, session))
        return (datetime.now(UTC) + self.ahead - due).total_seconds()


@contextmanager
def resident(state: Path, at: datetime) -> Iterator[Resident]:
    """The daemon on that state, whose clock says `at` now."""
    ahead = at - datetime.now(UTC)
    with _started(state, [f"{ahead.total_seconds():.6f}", "--config", str(CONFIG), "run"]) as process:
        yield Resident(process, state, ahead)


def cold_lag_s(state: Path, session: str, now: str) -> float:
    """From the start of a `run-once` to the committed signal."""
    begin = time.perf_counter()
    with _started(state, ["0", "--config", str(CONFIG), "run-once", "--now", now]) as process:
        wait_until(process, lambda: has_signal(state, session))
        return time.perf_counter() - begin


def wait_until(process: "subprocess.Popen[bytes]", true: Callable[[], bool]) -> None:
    """Returns when it is. Raises TimeoutError, and RuntimeError when the process has ended before."""
    end = time.monotonic() + PATIENCE_S
    while not true():
        if process.poll() is not None and not true():
            raise RuntimeError(f"reliance-daemon ended with {process.returncode}.")
        if time.monotonic() > end:
            raise TimeoutError(f"not within {PATIENCE_S:.0f} s.")
        time.sleep(LOOK_EVERY_S)


def has_signal(state: Path, session: str) -> bool:
    """Whether a signal for the session is committed."""
    address = f"file:{state / 'signals.db'}?mode=ro"
    with closing(sqlite3.connect(address, uri=True)) as database:
        found = database.execute("SELECT 1 FROM signals WHERE origin = 'live' AND session = ?", (session,))
        return found.fetchone() is not None


@contextmanager
def _started(state: Path, words: Sequence[str]) -> Iterator["subprocess.Popen[bytes]"]:
    environment = os.environ | {"RELIANCE_DAEMON__STORAGE__STATE_DIR": str(state)}
    call = [sys.executable, "-m", "tests.bench.shifted", *words]
    nowhere = subprocess.DEVNULL  # the log file is what is read
    with subprocess.Popen(call, cwd=ROOT, env=environment, stdout=nowhere, stderr=nowhere) as process:
        try:
            yield process
        finally:
            process.terminate()
