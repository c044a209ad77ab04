"""`make bench`: what a session costs, as ratios to a reference in the same run; its last line is JSON.

Runs on the state that `make demo` leaves behind, copied, so that nothing of it changes.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parents[2]
PROGRAM = Path(sys.executable).with_name("reliance-daemon")
CONFIG = ROOT / "docs" / "examples" / "demo.toml"
STATE = CONFIG.parent / "state"
REFERENCE = [sys.executable, "-c", "import pandas, sqlalchemy, talib, exchange_calendars, typer, pydantic"]
RUNS = 5


@dataclass(frozen=True, slots=True)
class Cost:
    """What one process took."""

    wall_s: float
    memory_mb: float


def measure(words: Sequence[str], environment: dict[str, str]) -> Cost:
    """The process's wall clock and peak memory. Raises CalledProcessError when it fails."""
    start = time.perf_counter()
    process = subprocess.Popen(
        words, env=os.environ | environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, words)
    return Cost(time.perf_counter() - start, usage.ru_maxrss / 1024)


def session(now: str) -> Cost:
    """One `run-once` on a fresh copy of the demo's state."""
    with tempfile.TemporaryDirectory() as folder:
        state = Path(shutil.copytree(STATE, Path(folder) / "state"))
        words = [str(PROGRAM), "--config", str(CONFIG), "run-once", "--now", now]
        return measure(words, {"RELIANCE_DAEMON__STORAGE__STATE_DIR": str(state)})


def main() -> None:
    """Measures in turn, so that a slow moment of the machine meets all three alike."""
    if not (STATE / "signals.db").exists():
        sys.exit("bench needs the state of `make demo`; run that first.")
    costs: dict[str, list[Cost]] = {"importing the libraries": [], "nothing to do": [], "settle and decide": []}
    for _ in range(RUNS):
        costs["importing the libraries"].append(measure(REFERENCE, {}))
        costs["nothing to do"].append(session("2018-12-28T14:10:00Z"))
        costs["settle and decide"].append(session("2018-12-31T14:10:00Z"))
    reference = median(cost.wall_s for cost in costs["importing the libraries"])
    rows = {
        name: {
            "wall_s": round(median(cost.wall_s for cost in runs), 3),
            "ratio": round(median(cost.wall_s for cost in runs) / reference, 2),
            "memory_mb": round(median(cost.memory_mb for cost in runs), 1),
        }
        for name, runs in costs.items()
    }
    for name, row in rows.items():
        print(f"{name:26} {row['wall_s']:7.3f} s  {row['ratio']:5.2f} x reference  {row['memory_mb']:6.1f} MB peak")
    print(json.dumps({"runs": RUNS, "medians": rows}))


if __name__ == "__main__":
    main()
