"""`walk_forward`: a backtest that trains its models, and the same with another threshold, which trains nothing."""

import sys
import tempfile
from collections.abc import Mapping
from datetime import date
from pathlib import Path

from tests.bench.market import LAST, bars_name, write_installation
from tests.bench.measure import Cost, process_cost
from tests.bench.options import Options
from tests.bench.result import Figure, Result, median_figure

PROGRAM = Path(sys.executable).with_name("reliance-daemon")
THRESHOLD = "RELIANCE_DAEMON__SIGNALS__MIN_CONFIDENCE"

# Six months of seven stocks: small networks on short windows, so that it takes a minute and not hours.
SMALL = """
[ensemble]
window_years = 2
min_sessions = 300
stack = { train_months = 2, gate_months = 2 }
members = [
  { preset = "wider", units = [16, 8] },
  { preset = "optimal", units = [16, 8] },
  { preset = "logit" },
]
"""
# Fifteen years: the presets as shipped, two seeds each. The bars begin 235 sessions before January 2007.
FULL = """
[ensemble]
min_sessions = 200
members = [
  { preset = "wider", seeds = 2 },
  { preset = "optimal", seeds = 2 },
  { preset = "balanced", seeds = 2 },
]
"""
FULL_FROM, SMALL_FROM = date(2007, 1, 1), date(2021, 7, 1)


def run(options: Options) -> Result:
    """With a state folder kept (`--state`) an interrupted run goes on where it was; its time is then the rest."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.state or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        config = write_installation(folder, FULL if options.full else SMALL)
        first = FULL_FROM if options.full else SMALL_FROM
        trained = backtest(config, first, {THRESHOLD: "0.7"})
        repetitions = range(options.repetitions or 3)
        again = [backtest(config, first, {THRESHOLD: f"0.{6 - number % 2}"}) for number in repetitions]
    seconds = [cost.wall_s for cost in again]
    return Result(
        f"{bars_name()}, {first} to {LAST}, seven stocks, "
        + ("3 LSTM presets x 2 seeds, monthly" if options.full else "two small LSTMs and a ridge-logit, monthly"),
        (
            Figure("first run", trained.wall_s / 3600, "h")
            if options.full
            else Figure("first run", trained.wall_s, "s"),
            Figure("first run, CPU time", trained.cpu_s, "s"),
            median_figure("second run, another threshold", seconds, "s", at_most=10.0),
            Figure("first run : second", trained.wall_s / sorted(seconds)[len(seconds) // 2], "x"),
            median_figure("second run, peak memory", [cost.memory_mb for cost in again], "MB"),
        ),
    )


def backtest(config: Path, first: date, changes: Mapping[str, str]) -> Cost:
    """One `reliance-daemon backtest` up to the last bar, as a person would call it; `changes` of the configuration."""
    words = ["--config", str(config), "backtest", "--from", str(first), "--to", str(LAST), "--now", f"{LAST}T20:00:00Z"]
    return process_cost([str(PROGRAM), *words], changes)
