"""`memory`: what stays behind of each retrain in a worker that trains month after month."""

from collections.abc import Sequence

import numpy as np

from ensemble.members.specs import MemberSpec
from ensemble.members.tasks import TrainingTask, fit_member
from ensemble.panel import Panel
from tests.bench.market import bars_name, last_months, load_panel, month_window
from tests.bench.measure import child, resident_mb
from tests.bench.members import wider
from tests.bench.options import Options
from tests.bench.result import Figure, Result

DIFFERENT_MONTHS = 90
SETTLED = 10
"""The first retrains load libraries and fill caches; growth is counted from here on."""


def run(options: Options) -> Result:
    """100 retrains of "wider" in one process, each of another month: windows differ in length, as they do in life."""
    years, retrains = options.pick(1, 8), options.repetitions or 100
    with child() as pool:
        held = pool.submit(memory_after_each, wider(), load_panel(), years, retrains).result()
    return Result(
        f"{bars_name()}, seven stocks x {years} years, {retrains} retrains in one worker",
        (
            Figure("growth a retrain", slope(held[min(SETTLED, retrains - 2) :]), "MB", at_most=1.0),
            Figure("held after the first", held[0], "MB"),
            Figure("held after the last", held[-1], "MB"),
        ),
    )


def memory_after_each(
    spec: MemberSpec, panel: Panel, years: int, retrains: int, *, until: str = "2021-12"
) -> list[float]:
    """Megabytes that this process holds after each of the retrains, the months before `until` over and over."""
    months = last_months(min(retrains, DIFFERENT_MONTHS), until=until)
    held = []
    for number in range(retrains):
        _, window = month_window(panel, months[number % len(months)], years=years)
        fit_member(TrainingTask(spec, window, f"{number:064x}"))
        held.append(resident_mb())
    return held


def slope(values: Sequence[float]) -> float:
    """Growth from one value to the next: least squares."""
    return float(np.polynomial.polynomial.polyfit(np.arange(len(values)), values, 1)[1])
