"""`session`: what one run-once costs beside importing the libraries that it needs."""

import shutil
import sqlite3
import sys
import tempfile
from contextlib import closing
from pathlib import Path

from tests.bench.market import ROOT
from tests.bench.measure import Cost, interleaved, process_cost
from tests.bench.options import Options
from tests.bench.result import Result, Skipped, median_figure, ratio_figure

PROGRAM = Path(sys.executable).with_name("reliance-daemon")
CONFIG = ROOT / "docs" / "examples" / "demo.toml"
STATE = CONFIG.parent / "state"
DEMO_SESSION = "2018-12-28"
"""Which `make demo` decides."""
REFERENCE = [sys.executable, "-c", "import pandas, sqlalchemy, talib, exchange_calendars, typer, pydantic"]
REPETITIONS = 5


def run(options: Options) -> Result:
    """Works on copies of the state that `make demo` leaves behind, so that nothing of it changes."""
    require_demo_state()
    costs = interleaved(
        {
            "importing": lambda: process_cost(REFERENCE, {}),
            "idle": lambda: _session("2018-12-28T14:10:00Z"),
            "working": lambda: _session("2018-12-31T14:10:00Z"),
        },
        options.repetitions or REPETITIONS,
    )
    wall = {name: [cost.wall_s for cost in runs] for name, runs in costs.items()}
    return Result(
        "S&P 500 and NASDAQ from `make demo`",
        (
            median_figure("importing the libraries", wall["importing"], "s"),
            median_figure("nothing to do", wall["idle"], "s"),
            median_figure("settle and decide", wall["working"], "s"),
            ratio_figure("settle and decide : importing", wall["working"], wall["importing"]),
            median_figure("settle and decide, peak memory", [cost.memory_mb for cost in costs["working"]], "MB"),
        ),
    )


def require_demo_state() -> None:
    """Raises Skipped unless STATE is as `make demo` leaves it: later sessions would be done already, in no time."""
    if not (STATE / "signals.db").exists():
        raise Skipped("it needs the state of `make demo`; run that first.")
    with closing(sqlite3.connect(f"file:{STATE / 'signals.db'}?mode=ro", uri=True)) as database:
        ((newest,),) = database.execute("SELECT max(session) FROM runs WHERE kind = 'decide'")
    if newest != DEMO_SESSION:
        raise Skipped(f"{STATE} has gone on to {newest}; remove it and run `make demo` again.")


def _session(now: str) -> Cost:
    with tempfile.TemporaryDirectory() as folder:
        state = Path(shutil.copytree(STATE, Path(folder) / "state"))
        words = [str(PROGRAM), "--config", str(CONFIG), "run-once", "--now", now]
        own = {"STORAGE__STATE_DIR": str(state), "REPORT__ENABLED": "false"}  # `report` measures the report
        return process_cost(words, {f"RELIANCE_DAEMON__{name}": value for name, value in own.items()})
