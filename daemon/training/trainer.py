"""Trains members wherever the configuration says: TensorFlow and its memory never enter the daemon."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, wait
from itertools import islice

from daemon.console.progress import Progress
from daemon.errors import DaemonError
from daemon.training.crew import Crew
from daemon.training.workers import WorkerOptions, open_crew
from ensemble.members.fitted import Files
from ensemble.members.tasks import TrainingTask
from storage.model_store import ModelStore

LOOK_EVERY_S = 30.0
"""How often it is looked whether there is still somebody to work."""


OutOfTime = Callable[[], bool]
"""Whether the training has to end for today."""


class TrainingFailed(DaemonError):
    """A member could not be trained."""


def no_hurry() -> bool:
    """Never out of time."""
    return False


def train_parts(
    tasks: Sequence[TrainingTask],
    store: ModelStore,
    *,
    workers: WorkerOptions,
    progress: Progress,
    out_of_time: OutOfTime = no_hurry,
) -> None:
    """Trains the tasks and publishes each result as it comes, so that an interrupted run goes on where it was.

    Raises TrainingFailed when one fails, breaks a limit, nobody is there to train, or the time is out, which is looked
    at every half minute; what was published before stays.
    """
    if not tasks:
        return
    try:
        with open_crew(workers, at_most=len(tasks)) as crew:
            publish_results(crew, tasks, store, progress, out_of_time)
    except TrainingFailed:
        raise
    except DaemonError as error:
        raise TrainingFailed(str(error)) from error


def publish_results(
    crew: Crew,
    tasks: Sequence[TrainingTask],
    store: ModelStore,
    progress: Progress,
    out_of_time: OutOfTime = no_hurry,
) -> None:
    """Each task's result into the store, in whatever order they come: each has a name of its own."""
    for task, future in progress(_finished(crew, tasks, out_of_time), total=len(tasks), label="training"):
        store.put_part(task.key, _files(task, future))


def _finished(
    crew: Crew, tasks: Sequence[TrainingTask], out_of_time: OutOfTime
) -> Iterator[tuple[TrainingTask, Future[Files]]]:
    """Every task with its future, done; never more are handed in than the crew has room for."""
    waiting, running = iter(tasks), dict[Future[Files], TrainingTask]()
    while True:
        for task in islice(waiting, max(crew.room() - len(running), not running)):
            running[crew.executor.submit(crew.train, task)] = task
        if not running:
            return
        if out_of_time():
            raise TrainingFailed("its training was not done before the session's open; what is done of it is kept.")
        done = wait(running, timeout=LOOK_EVERY_S, return_when=FIRST_COMPLETED).done
        if not done and not crew.room():
            raise TrainingFailed("every worker is gone; start one, then run the same command again to go on.")
        for future in sorted(done, key=_failed):  # what is done is kept before what failed ends the run
            yield running.pop(future), future


def _failed(future: Future[Files]) -> bool:
    return future.cancelled() or future.exception() is not None


def _files(task: TrainingTask, future: Future[Files]) -> Files:
    try:
        return future.result()
    except CancelledError as error:
        raise TrainingFailed(
            "the training was called off, for the Dask scheduler is gone; start it, then run the same command again."
        ) from error
    except Exception as error:  # whatever a library raises: a retraining that fails must not end the daemon
        raise TrainingFailed(f"member {task.spec.name} was not trained: {why_of(error)}") from error


def why_of(error: Exception) -> str:
    """What ended a training, in one line; one that nobody foresaw is called by its type."""
    foreseen = isinstance(error, DaemonError | RuntimeError | ValueError)
    return str(error) if foreseen else f"{type(error).__name__}: {error}"
