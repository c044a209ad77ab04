"""What trains members: an executor, and what it is to run. Here the crew of one machine."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from daemon.child import Children, TaskLimits
from daemon.errors import DaemonError
from daemon.versions import training_version
from ensemble.members.fitted import Files
from ensemble.members.tasks import TrainingTask, fit_member


@dataclass(frozen=True, slots=True)
class Crew:
    """`executor` runs `train`, wherever that is."""

    executor: Executor
    train: Callable[[TrainingTask], Files]
    room: Callable[[], int]
    """How many tasks it can use at this moment: more than these, handed in already, would only take memory."""


class CodeChanged(DaemonError):
    """The program or its libraries were replaced while it ran; what is trained now would bear another's name."""


def train_as(version: str, task: TrainingTask) -> Files:
    """Runs in a child, which loads what lies on the disk when it starts. Raises CodeChanged unless that is `version`,
    by which the task's key was made.
    """
    if training_version() != version:
        raise CodeChanged("the program was updated while it ran; start it again.")
    return fit_member(task)


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
