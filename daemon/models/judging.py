"""Who scores a trial: this process, or one of its own whose libraries and memory go with it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from loguru import logger

from daemon.training.child import ChildFailed, TaskLimits
from daemon.training.crew import CodeChanged, done_apart
from ensemble.arrays import Floats, Mask
from ensemble.evaluation.promotion import Trial, hold_trial
from ensemble.labels import LABELS


@dataclass(frozen=True, slots=True)
class TrialTask:
    """What both sides said, and what came of it: log-odds and outcomes, (n_symbols, n_sessions, n_labels)."""

    challenger: Floats
    champion: Floats
    outcomes: Floats
    said: Mask
    horizons: tuple[int, ...]
    """Sessions that each label reaches over."""


Judge: TypeAlias = Callable[[TrialTask, TaskLimits], dict[str, Trial]]


def judge_here(task: TrialTask, _: TaskLimits | None = None) -> dict[str, Trial]:
    """Label -> its trial."""
    return {
        label: hold_trial(
            task.challenger[..., column],
            task.champion[..., column],
            task.outcomes[..., column],
            said=task.said,
            horizon=task.horizons[column],
        )
        for column, label in enumerate(LABELS)
    }


def judge_apart(task: TrialTask, limits: TaskLimits) -> dict[str, Trial]:
    """The same, from a process that ends with it: SciPy stays for good. Here all the same where that one fails."""
    try:
        return done_apart(judge_here, task, limits)
    except (ChildFailed, CodeChanged) as error:
        logger.warning("the trial is scored in this process: {}", error)
        return judge_here(task)
