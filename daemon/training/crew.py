"""What trains members: an executor, and what it is to run. Here the crew of one machine."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from daemon.errors import DaemonError
from daemon.training.child import Child, Children, TaskLimits
from daemon.versions import code_version, training_version
from ensemble.members.fitted import Files
from ensemble.members.tasks import TrainingTask, fit_member


@dataclass(frozen=True, slots=True)
class Crew:
    """`executor` runs `train`, wherever that is."""

    executor: Executor
    train: Callable[[TrainingTask], Files]
    room: Callable[[], int]
    """How many tasks it can use at this moment: more than these, handed in already, would only take memory."""


Given = TypeVar("Given")
Made = TypeVar("Made")
_REPLACED = "the program was updated while it ran; start it again."


class CodeChanged(DaemonError):
    """The program or its libraries were replaced while it ran; what is trained now would bear another's name."""


def train_as(version: str, task: TrainingTask) -> Files:
    """Runs in a child, which loads what lies on the disk when it starts. Raises CodeChanged unless that is `version`,
    by which the task's key was made.
    """
    if training_version() != version:
        raise CodeChanged(_REPLACED)
    return fit_member(task)


def done_apart(function: Callable[[Given], Made], given: Given, limits: TaskLimits) -> Made:
    """What `function` makes of it, from a process that ends with it: what it loads there does not stay here.

    Raises ChildFailed, and CodeChanged when the program was replaced since this process started.
    """
    child = Child(limits)
    try:
        return child.call(partial(_done_as, code_version(), function), given, given_up=_never)
    finally:
        child.end()


def _done_as(version: str, function: Callable[[Given], Made], given: Given) -> Made:
    if code_version() != version:
        raise CodeChanged(_REPLACED)
    return function(given)


def _never() -> bool:
    return False


@contextmanager
def this_machine(processes: int, limits: TaskLimits) -> Iterator[Crew]:
    """So many children, and a thread for each that feeds it and holds it to its limits.

    When it is left, for whatever reason, what is not done is given up, and no child stays.
    """
    leaving = threading.Event()
    children = Children(limits)
    train = partial(children.call, partial(train_as, training_version()), given_up=leaving.is_set)
    executor = ThreadPoolExecutor(processes, thread_name_prefix="training")
    try:
        yield Crew(executor, train, lambda: processes)
    finally:
        leaving.set()
        executor.shutdown(cancel_futures=True)
        children.end()
