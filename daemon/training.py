"""Trains members in spawned child processes: TensorFlow and its memory never enter the daemon."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.process import BaseProcess

from pydantic import Field

from daemon.errors import DaemonError
from daemon.progress import Progress
from ensemble.members.tasks import TrainingTask, fit_member
from ensemble.options import Options
from storage.model_store import ModelStore

THREAD_LIMITS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class WorkerOptions(Options):
    """The [workers] table."""

    processes: int = Field(
        0, ge=0, le=256, description="members trained at the same time, one core each; 0: one a core"
    )

    @property
    def count(self) -> int:
        """Processes to start."""
        return self.processes or len(os.sched_getaffinity(0))


class TrainingFailed(DaemonError):
    """A member could not be trained."""


def train_parts(
    tasks: Sequence[TrainingTask], store: ModelStore, *, workers: WorkerOptions, progress: Progress
) -> None:
    """Trains the tasks and publishes each result as it comes, so that an interrupted run goes on where it was.

    Raises TrainingFailed when one fails or a child dies; what was published before stays.
    """
    if not tasks:
        return
    with _pool(min(workers.count, len(tasks))) as pool:
        futures = {pool.submit(fit_member, task): task for task in tasks}
        for future in progress(as_completed(futures), total=len(futures), label="training"):
            task = futures[future]
            try:
                store.put_part(task.key, future.result())
            except BrokenProcessPool as error:
                raise TrainingFailed(
                    f"a training process died while member {task.spec.name} was due, most likely for want of memory; "
                    "lower workers.processes or ensemble.window_years."
                ) from error
            except (RuntimeError, ValueError, MemoryError) as error:
                raise TrainingFailed(f"member {task.spec.name} was not trained: {error}") from error


@contextmanager
def _pool(processes: int) -> Iterator[Executor]:
    """Spawned, single-threaded children. When the work is given up, for whatever reason, they are killed at once."""
    saved = {name: os.environ.get(name) for name in THREAD_LIMITS}
    os.environ.update(dict.fromkeys(THREAD_LIMITS, "1"))  # children read them when they load NumPy
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(processes, mp_context=context, initializer=_follow_the_parent)
    try:
        yield pool
    except BaseException:
        for child in multiprocessing.active_children():
            child.kill()
        raise
    finally:
        pool.shutdown(cancel_futures=True)
        for name, value in saved.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _follow_the_parent() -> None:
    """Ctrl-C is the parent's to answer; and when the parent is killed, its children do not train on."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: BaseProcess) -> None:
    parent.join()
    os._exit(1)
