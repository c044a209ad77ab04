"""Which benchmarks there are."""

from collections.abc import Callable, Mapping, Sequence

from tests.bench import (
    bars,
    fills,
    gemm,
    idle,
    levers,
    memory,
    other_limits,
    pytorch,
    report,
    retrain,
    session,
    throughput,
    walk_forward,
)
from tests.bench.options import Options
from tests.bench.result import Result

Benchmark = Callable[[Options], Result]
BENCHMARKS: Mapping[str, Benchmark] = {
    "session": session.run,
    "idle": idle.run,
    "retrain": retrain.run,
    "levers": levers.run,
    "gemm": gemm.run,
    "pytorch": pytorch.run,
    "throughput": throughput.run,
    "memory": memory.run,
    "walk_forward": walk_forward.run,
    "other_limits": other_limits.run,
    "fills": fills.run,
    "bars": bars.run,
    "report": report.run,
}
"""In the order of the page and of `make bench`."""


def chosen(names: Sequence[str]) -> tuple[str, ...]:
    """The named benchmarks in the suite's order, all for none. Raises ValueError for one that there is not."""
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        raise ValueError(f'benchmark was "{unknown[0]}"; it must be one of {", ".join(BENCHMARKS)}.')
    return tuple(name for name in BENCHMARKS if name in names or not names)
