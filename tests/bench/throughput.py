"""`throughput`: two workers against one on the same retrains, through the pool that the daemon trains with."""

import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from daemon.training.trainer import train_parts
from daemon.training.workers import WorkerOptions
from ensemble.members.tasks import TrainingTask
from ensemble.panel import Panel
from storage.model_store import ModelStore
from tests.bench.market import bars_name, last_months, load_panel, month_window
from tests.bench.measure import interleaved
from tests.bench.members import wider
from tests.bench.options import Options
from tests.bench.result import Result, median_figure, ratio_figure

Item = TypeVar("Item")


class Arrivals:
    """A Progress that notes when each result came."""

    def __init__(self) -> None:
        self.moments_s: list[float] = []

    def __call__(self, items: Iterable[Item], *, total: int, label: str) -> Iterator[Item]:
        """The same items."""
        for item in items:
            self.moments_s.append(time.perf_counter())
            yield item

    def rate(self, processes: int) -> float:
        """Results a second once every worker has delivered its first: starting and loading are over."""
        first = self.moments_s[processes - 1]
        return (len(self.moments_s) - processes) / (self.moments_s[-1] - first)


@dataclass(frozen=True, slots=True)
class Pooled:
    """One run of the tasks."""

    retrains_per_s: float
    wall_s: float


def run(options: Options) -> Result:
    """One worker and two in turn."""
    years, retrains = options.pick(2, 8), 24
    tasks = tasks_of(load_panel(), years, retrains)
    sides = {"one": lambda: pooled(tasks, 1), "two": lambda: pooled(tasks, 2)}
    runs = interleaved(sides, options.repetitions or options.pick(1, 3))
    rates = {name: [one.retrains_per_s for one in many] for name, many in runs.items()}
    wall = {name: [one.wall_s for one in many] for name, many in runs.items()}
    return Result(
        f"{bars_name()}, {retrains} retrains of wider on seven stocks x {years} years",
        (
            median_figure("one worker", rates["one"], "retrains/s"),
            median_figure("two workers", rates["two"], "retrains/s"),
            ratio_figure("two workers : one", rates["two"], rates["one"], at_least=1.8),
            ratio_figure("the same, starting and loading included", wall["one"], wall["two"]),
        ),
    )


def tasks_of(panel: Panel, years: int, count: int) -> list[TrainingTask]:
    """One retrain of wider for each of the last `count` months."""
    windows = [month_window(panel, month, years=years)[1] for month in last_months(count)]
    return [TrainingTask(wider(), window, f"{number:064x}") for number, window in enumerate(windows)]


def pooled(tasks: Sequence[TrainingTask], processes: int) -> Pooled:
    """What the daemon's own pool takes for the tasks."""
    arrivals, start = Arrivals(), time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        train_parts(tasks, ModelStore(Path(folder)), workers=WorkerOptions(processes=processes), progress=arrivals)
    return Pooled(arrivals.rate(processes), time.perf_counter() - start)
