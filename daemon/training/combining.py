"""Who fits the combiner of a month: this process, or one of its own whose libraries and memory go with it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from daemon.training.child import ChildFailed, TaskLimits
from daemon.training.crew import CodeChanged, done_apart
from daemon.training.trainer import TrainingFailed, why_of
from ensemble.members.fitted import Files
from ensemble.stacking.combiner import StackOptions, fit_combiner
from ensemble.stacking.history import History


@dataclass(frozen=True, slots=True)
class CombinerTask:
    """What a combiner is fitted to, and how."""

    history: History
    stack: StackOptions
    seed: int


Fit: TypeAlias = Callable[[CombinerTask, TaskLimits], Files]


def fitted(task: CombinerTask, limits: TaskLimits, fit: Fit) -> Files:
    """The combiner's files, by `fit`. Raises TrainingFailed, whatever a library raises: the daemon has to live on."""
    try:
        return fit(task, limits)
    except TrainingFailed:
        raise
    except Exception as error:
        raise TrainingFailed(f"the combiner was not fitted: {why_of(error)}") from error


def fit_here(task: CombinerTask, _: TaskLimits | None = None) -> Files:
    """The combiner's files."""
    return fit_combiner(task.history, task.stack, seed=task.seed).files()


def fit_apart(task: CombinerTask, limits: TaskLimits) -> Files:
    """The same files, from a process that ends with it: SciPy and LightGBM stay 70 MB. Raises TrainingFailed."""
    try:
        return done_apart(fit_here, task, limits)
    except (ChildFailed, CodeChanged) as error:
        raise TrainingFailed(f"the combiner was not fitted: {error}") from error
