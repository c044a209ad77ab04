"""`levers`: what each step from the published recipe to the fast path gave, in CPU-seconds a pass over the window."""

from collections.abc import Callable, Mapping
from functools import partial
from itertools import pairwise

from ensemble.members.specs import LstmSpec
from ensemble.members.tasks import TrainingTask, fit_member
from ensemble.windows import Window
from tests.bench.market import bars_name, last_months, load_panel, month_window
from tests.bench.measure import child, cpu_s, interleaved
from tests.bench.members import wider
from tests.bench.options import Options
from tests.bench.result import Figure, Result, median_figure, ratio_figure
from tests.bench.step import open_epoch

LADDER = (
    "Keras fit, single windows, batch 8 (published)",
    "Keras fit, segments, batch 8",
    "own step, segments, batch 8",
    "own step, segments, batch as shipped (fast path)",
)
"""Each differs from the one before in one thing."""
GAINS = (
    "a loss at every step of a segment instead of one a window",
    "the step written out and compiled instead of Keras fit",
    "larger batches",
)


def run(options: Options) -> Result:
    """One pass each in turn; the windows' last 15 % is left out by the published recipe, by the others not."""
    years = options.pick(1, 8)
    _, window = month_window(load_panel(), last_months(1)[0], years=years)
    with child() as pool:
        costs = pool.submit(pass_costs, wider(), window, options.repetitions or options.pick(2, 3)).result()
    return Result(f"{bars_name()}, wider on seven stocks x {years} years, one pass each", figures(costs))


def figures(costs: Mapping[str, list[float]]) -> tuple[Figure, ...]:
    """Each rung's cost, the gain from each to the next, and the gain of all together."""
    gains = zip(GAINS, pairwise(LADDER), strict=True)
    return (
        *(median_figure(name, costs[name], "s a pass") for name in LADDER),
        *(ratio_figure(gain, costs[before], costs[after]) for gain, (before, after) in gains),
        ratio_figure("all together, a pass", costs[LADDER[0]], costs[LADDER[-1]]),
    )


def pass_costs(spec: LstmSpec, window: Window, repetitions: int) -> dict[str, list[float]]:
    """CPU-seconds of one pass on each rung, round by round; compiled before."""
    from tests.bench.keras_segments import keras_epoch

    published = spec.model_copy(update={"training": "published", "batch_size": 8, "max_epochs": 1})
    small = spec.model_copy(update={"segments_per_step": 8})
    passes: Mapping[str, Callable[[], object]] = dict(
        zip(
            LADDER,
            (
                partial(fit_member, TrainingTask(published, window, "0" * 64)),
                keras_epoch(small, open_epoch(small, window)),
                open_epoch(small, window).run,
                open_epoch(spec, window).run,
            ),
            strict=True,
        )
    )
    for name in LADDER:
        passes[name]()
    return interleaved({name: partial(cpu_s, passes[name]) for name in LADDER}, repetitions)
