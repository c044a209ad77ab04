"""`other_limits`: fifteen years once more with other limits, which must train nothing."""

import tempfile
from datetime import date
from pathlib import Path

from tests.bench.market import LAST, bars_name, write_installation
from tests.bench.options import Options
from tests.bench.result import Figure, Result, median_figure, ratio_figure
from tests.bench.walk_forward import THRESHOLD, backtest

# What is measured forecasts nothing anew, so that the cheapest members do; they read two months of history a quarter.
CHEAP = """
[ensemble]
min_sessions = 200
retrain = "quarterly"
stack = { train_months = 2, gate_months = 2 }
members = [{ preset = "logit" }]
"""
FROM = date(2007, 1, 1)
RISK = "RELIANCE_DAEMON__RISK__"
LIMITS = (
    {f"{RISK}STOP_LOSS_PCT": "3", f"{RISK}TAKE_PROFIT_PCT": "5", f"{RISK}MAX_HOLDING_SESSIONS": "5"},
    {f"{RISK}POSITION_PCT": "5", f"{RISK}MAX_POSITIONS": "2", f"{RISK}LOT_SIZE": "5"},
)
REPETITIONS = 4


def run(options: Options) -> Result:
    """The threshold is low, so that there is something to trade."""
    with tempfile.TemporaryDirectory() as folder:
        config = write_installation(Path(folder), CHEAP)
        often = {THRESHOLD: "0.52"}
        first = backtest(config, FROM, often)
        again = [
            backtest(config, FROM, often | LIMITS[number % len(LIMITS)])
            for number in range(options.repetitions or REPETITIONS)
        ]
    wall_s, cpu_s = [cost.wall_s for cost in again], [cost.cpu_s for cost in again]
    return Result(
        f"{bars_name()}, {FROM} to {LAST}, seven stocks, one ridge-logit, quarterly",
        (
            Figure("first run, CPU time", first.cpu_s, "s"),
            median_figure("second run, other limits", wall_s, "s", at_most=10.0),
            median_figure("second run, CPU time", cpu_s, "s"),
            ratio_figure("first run : second, CPU time", [first.cpu_s] * len(cpu_s), cpu_s),
        ),
    )
