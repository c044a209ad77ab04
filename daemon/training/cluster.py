"""Training on a Dask cluster: the only file that imports Dask, and only when it is asked for."""

import multiprocessing
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

from daemon.errors import DaemonError
from daemon.training.child import Children, TaskLimits
from daemon.training.crew import Crew, train_as
from daemon.versions import code_version, training_version
from ensemble.members.fitted import Files
from ensemble.members.tasks import TrainingTask

ANSWER_WITHIN_S = 30.0
TASKS_A_THREAD = 2
"""One that it works on, one that has arrived meanwhile."""

_CHILDREN: dict[TaskLimits, Children] = {}
"""In a Dask worker: its training children, kept between tasks because TensorFlow takes seconds to load."""


class ClusterError(DaemonError):
    """The Dask cluster cannot be reached, has no worker, or has one that would train otherwise."""


@contextmanager
def open_cluster(address: str, limits: TaskLimits, *, answer_within_s: float = ANSWER_WITHIN_S) -> Iterator[Crew]:
    """The workers of the cluster at `address`. Raises ClusterError when nobody answers, or none is there to work."""
    import dask
    from distributed import Client

    # Dask warns of each task above 10 MB. One of ours has 11 to 20 and a hundredth of its training time on the way.
    dask.config.set({"distributed.admin.large-graph-warning-threshold": "1GB"})
    try:
        client = Client(address, timeout=answer_within_s, set_as_default=False)
    except (OSError, ValueError) as error:
        raise ClusterError(
            f"workers.address was {address}, where no Dask scheduler answers; start `dask scheduler`, or mend it."
        ) from error
    with client:
        _await_a_worker(client, address, answer_within_s)
        executor = client.get_executor(pure=False)
        try:
            yield Crew(executor, partial(train_here, limits=limits, wanted=code_version()), partial(_room, client))
        finally:
            executor.shutdown(wait=False)  # gives up what is not done
            with suppress(Exception):  # a courtesy to the cluster, which may be gone
                client.run(end_idle, on_error="ignore")


def train_here(task: TrainingTask, *, limits: TaskLimits, wanted: str) -> Files:
    """Runs in a Dask worker: trains the member in a child of its own, under the same limits as on one machine.

    Raises ClusterError when this worker's libraries are not those of `wanted`: they would give other bits.
    """
    from distributed import get_worker

    worker = get_worker()
    check_versions(worker.address, has=code_version(), wanted=wanted)
    key = worker.get_current_task()

    def given_up() -> bool:
        state = worker.state.tasks.get(key)
        return state is None or state.state not in ("executing", "resumed")

    # Dask's nanny marks its workers as daemonic, which may have no children; ours follow their parent by themselves.
    multiprocessing.current_process().daemon = False
    train = partial(train_as, training_version())
    return _CHILDREN.setdefault(limits, Children(limits)).call(train, task, given_up=given_up)


def end_idle() -> None:
    """Runs in a Dask worker: gives the memory of its training children back."""
    for children in _CHILDREN.values():
        children.end()


def check_versions(worker: str, *, has: str, wanted: str) -> None:
    """Raises ClusterError, naming what differs, unless both are the same."""
    theirs, ours = (set(versions.split(", ")) for versions in (has, wanted))
    if theirs != ours:
        raise ClusterError(
            f"the Dask worker {worker} has {', '.join(sorted(theirs - ours)) or 'less'}, "
            f"here it is {', '.join(sorted(ours - theirs)) or 'less'}; install the same there, or stop that worker."
        )


def _await_a_worker(client: Any, address: str, within_s: float) -> None:
    try:
        client.wait_for_workers(1, timeout=within_s)
    except TimeoutError as error:
        raise ClusterError(
            f"the Dask scheduler {address} has no worker; start `dask worker {address} --nthreads 1`."
        ) from error


def _room(client: Any) -> int:
    try:
        return TASKS_A_THREAD * int(sum(client.nthreads().values()))
    except OSError:  # the scheduler is gone, at least for the moment
        return 0
