"""Who fits the combiner of a month: this process, or one of its own whose libraries and memory go with it."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

from daemon.child import Child, ChildFailed, TaskLimits
from daemon.crew import CodeChanged
from daemon.training import TrainingFailed
from daemon.versions import code_version
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


def fit_here(task: CombinerTask, _: TaskLimits | None = None) -> Files:
    """The combiner's files."""
    return fit_combiner(task.history, task.stack, seed=task.seed).files()


def fit_apart(task: CombinerTask, limits: TaskLimits) -> Files:
    """The same files, from a process that ends with it: SciPy and LightGBM stay 70 MB. Raises TrainingFailed."""
    child = Child(limits)
    try:
        return child.call(partial(_fit_as, code_version()), task, given_up=_never)
    except (ChildFailed, CodeChanged) as error:
        raise TrainingFailed(f"the combiner was not fitted: {error}") from error
    finally:
        child.end()


def _fit_as(version: str, task: CombinerTask) -> Files:
    if code_version() != version:
        raise CodeChanged("the program was updated while it ran; start it again.")
    return fit_here(task)


def _never() -> bool:
    return False
