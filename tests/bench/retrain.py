"""`retrain`: one monthly retrain of "wider" on the fast path against the published recipe: cost and log loss."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from ensemble.arrays import Floats
from ensemble.evaluation.estimate import Z_95
from ensemble.long_run import long_run_variance
from ensemble.members.fitted import Files, FittedMember
from ensemble.members.lstm import load_lstm
from ensemble.members.specs import LstmSpec
from ensemble.members.tasks import TrainingTask, fit_member
from ensemble.panel import Panel
from ensemble.windows import Window
from tests.bench.market import bars_name, last_months, load_panel, month_window
from tests.bench.measure import child, cpu_s, interleaved
from tests.bench.members import wider
from tests.bench.options import Options
from tests.bench.result import Figure, Result, median_figure, ratio_figure

REFERENCE, FAST = "published recipe", "fast path"
WARM_UP_ROWS = 160
LAGS = 9
"""Sessions over which losses hang together: those that the longest label spans."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Side -> figures of each retrain (month by month, repetition by repetition), and one loss a session scored."""

    cpu_s: Mapping[str, list[float]]
    passes: Mapping[str, list[float]]
    losses: Mapping[str, Floats]


def run(options: Options) -> Result:
    """Whole fits of both sides on the same windows, in turn, and their log loss on the months that follow."""
    years = options.pick(1, 8)
    months = last_months(options.months or options.pick(1, 3))
    sides = {REFERENCE: wider(training="published"), FAST: wider()}
    with child() as pool:
        done = pool.submit(compare, sides, load_panel(), months, years=years, repetitions=options.repetitions or 1)
        comparison = done.result()
    setting = f"{bars_name()}, wider on seven stocks x {years} years, {months[0]} to {months[-1]}, whole fits"
    return Result(setting, figures(comparison))


def figures(comparison: Comparison) -> tuple[Figure, ...]:
    """Cost and log loss of each side, each side's cost against the reference's, and the losses' difference."""
    costs, losses = comparison.cpu_s, comparison.losses
    return (
        *(median_figure(f"{name}, CPU time", costs[name], "s") for name in costs),
        *(
            ratio_figure(f"{REFERENCE} : {name}", costs[REFERENCE], costs[name], at_least=20 if name == FAST else None)
            for name in costs
            if name != REFERENCE
        ),
        *(median_figure(f"{name}, passes over the window", comparison.passes[name], "") for name in costs),
        *(Figure(f"{name}, log loss", float(losses[name].mean()), "") for name in losses),
        loss_difference(losses[FAST], losses[REFERENCE]),
    )


def compare(
    sides: Mapping[str, LstmSpec], panel: Panel, months: Sequence[str], *, years: int, repetitions: int
) -> Comparison:
    """Trains every side on every month's window; each repetition has a seed of its own, the same for all sides."""
    costs: dict[str, list[float]] = {name: [] for name in sides}
    passes: dict[str, list[float]] = {name: [] for name in sides}
    losses: dict[str, list[Floats]] = {name: [] for name in sides}
    _warm_up(sides, month_window(panel, months[0], years=years)[1])
    for month in months:
        fold, window = month_window(panel, month, years=years)
        fits = {name: Fits(spec, window) for name, spec in sides.items()}
        runs = interleaved({name: fits[name].next for name in sides}, repetitions)
        for name in sides:
            costs[name] += runs[name]
            members = [load_lstm(files) for files in fits[name].files]
            passes[name] += [float(len(one.curve)) for one in members]
            losses[name].append(np.mean([session_losses(one, panel, fold.test) for one in members], axis=0))
    return Comparison(costs, passes, {name: np.concatenate(parts) for name, parts in losses.items()})


class Fits:
    """The fits of one side on one window, one seed after the other."""

    def __init__(self, spec: LstmSpec, window: Window) -> None:
        self._spec, self._window = spec, window
        self.files: list[Files] = []

    def next(self) -> float:
        """CPU-seconds of the next fit."""
        task = TrainingTask(self._spec, self._window, f"{len(self.files):08x}".ljust(64, "0"))
        return cpu_s(partial(self._fit, task))

    def _fit(self, task: TrainingTask) -> None:
        self.files.append(fit_member(task))


def session_losses(member: FittedMember, panel: Panel, rows: slice) -> Floats:
    """Log loss of each session of `rows`, the mean over symbols and labels whose outcome is known: (n_rows,)."""
    odds, labels = member.log_odds(panel, rows), panel.labels[:, rows].astype(np.float64)
    losses = np.logaddexp(0, odds) - labels * odds
    return np.asarray(np.nanmean(losses, axis=(0, 2)))


def loss_difference(losses: Floats, reference: Floats) -> Figure:
    """Mean difference with its 95 % interval: sessions near each other share outcomes (Newey and West 1987)."""
    difference = losses - reference
    mean = float(difference.mean())
    lags = min(LAGS, len(difference) - 1)
    half = Z_95 * np.sqrt(max(long_run_variance(difference, lags=lags), 0) / len(difference))
    name = f"log loss, {FAST} minus {REFERENCE} (95 % interval)"
    return Figure(name, mean, "", mean - float(half), mean + float(half), at_most=0.0)


def _warm_up(sides: Mapping[str, LstmSpec], window: Window) -> None:
    """One fit on a sliver of the window: loading TensorFlow and compiling is no part of a monthly retrain."""
    sliver = Window(window.values[:1, -WARM_UP_ROWS:], window.labels[:1, -WARM_UP_ROWS:], window.embargo_rows)
    for spec in sides.values():
        fit_member(TrainingTask(spec, sliver, "0" * 64))
