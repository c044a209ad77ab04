"""The real `reliance-daemon`, as a process of its own, under a clock that runs but began at another instant."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[3]
PROGRAM = """
import sys
from datetime import UTC, datetime
import daemon.clock, daemon.service.waker

ahead = datetime.fromisoformat(sys.argv[1]) - datetime.now(UTC)
plan = daemon.service.waker.Waker.plan

class Elsewhen(daemon.clock.SystemClock):
    def now(self):
        return datetime.now(UTC) + ahead

daemon.clock.SystemClock = Elsewhen
daemon.service.waker.Waker.plan = lambda self, wakes: plan(self, {name: wake - ahead for name, wake in wakes.items()})
exec(sys.argv[2])
from daemon.cli import main
sys.argv = ["reliance-daemon", "--config", *sys.argv[3:]]
main()
"""


@dataclass
class Daemon:
    """A started process, and the file that it writes its lines to."""

    process: "subprocess.Popen[bytes]"
    said: Path

    @property
    def lines(self) -> list[str]:
        return self.said.read_text().splitlines()

    def wait_for(self, pattern: str, *, within_s: float = 60.0) -> str:
        """The first line that holds `pattern`."""
        end = time.monotonic() + within_s
        while time.monotonic() < end:
            for line in self.lines:
                if re.search(pattern, line):
                    return line
            assert self.process.poll() is None, f"it ended before {pattern!r}:\n{self.said.read_text()}"
            time.sleep(0.02)
        raise AssertionError(f"no {pattern!r} within {within_s} s:\n{self.said.read_text()}")


@contextmanager
def running(
    folder: Path, now: str, *, job: str = "run", patch: str = "", environ: Mapping[str, str] | None = None
) -> Iterator[Daemon]:
    """`reliance-daemon run`, whose clock begins at the ISO instant `now`; killed at the end of the block.

    `patch` is Python that is run before the program begins.
    """
    said = folder / "said.txt"
    with said.open("wb") as out:
        words = [sys.executable, "-c", PROGRAM, now, patch, str(folder / "config.toml"), job]
        inherited = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
        process = subprocess.Popen(words, stdout=out, stderr=out, cwd=ROOT, env=inherited | dict(environ or {}))
    try:
        yield Daemon(process, said)
    finally:
        process.kill()
        process.wait(timeout=10)
