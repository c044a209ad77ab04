"""A Dask cluster gives the bits of one machine, though its workers be killed; what is wrong with it is one line."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dask.distributed  # with the defaults of its options
import pytest

from daemon.console.progress import silent
from daemon.training.cluster import ClusterError, check_versions, open_cluster
from daemon.training.trainer import TrainingFailed, train_parts
from daemon.training.workers import WorkerOptions
from ensemble.members.specs import LstmSpec
from ensemble.members.tasks import TrainingTask, fit_member
from storage.model_store import ModelStore

MakeTasks = Callable[..., list[TrainingTask]]
DASK = Path(sys.executable).with_name("dask")
REGISTERED = r"Registered to:\s+(\S+)"


@dataclass(frozen=True, slots=True)
class Started:
    """A process of Dask, and what it says."""

    process: "subprocess.Popen[bytes]"
    log: Path

    def said(self, pattern: str) -> str:
        """What stands in the pattern's brackets, once it has been said."""
        return str(waited_for(lambda: re.search(pattern, self.log.read_text()))[1])


@contextmanager
def started(folder: Path, *words: str, **environment: str) -> Iterator[Started]:
    """`dask WORDS`; ended, with its whole session, whatever happens."""
    log = folder / f"dask-{time.monotonic_ns()}.log"
    with (
        log.open("wb") as output,
        subprocess.Popen(
            [DASK, *words, "--no-dashboard"], stderr=output, env=os.environ | environment, start_new_session=True
        ) as process,
    ):
        try:
            yield Started(process, log)
        finally:
            os.killpg(process.pid, signal.SIGKILL)


def worker(folder: Path, scheduler: str, *words: str, **environment: str) -> AbstractContextManager[Started]:
    """One process of one thread that trains."""
    options = ("--nthreads", "1", "--local-directory", str(folder))
    return started(folder, "worker", scheduler, *options, *words, **environment)


def waited_for(look: Callable[[], Any]) -> Any:
    """What `look` finds, within a minute and a half: the machine may be busy."""
    end = time.monotonic() + 90
    while time.monotonic() < end:
        if found := look():
            return found
        time.sleep(0.05)
    raise AssertionError("nothing within 90 s")


@pytest.fixture
def scheduler(tmp_path: Path) -> Iterator[str]:
    """The address of a scheduler without a worker."""
    with started(tmp_path, "scheduler", "--host", "127.0.0.1", "--port", "0") as one:
        yield one.said(r"Scheduler at:\s+(\S+)")


def descendants(process: int) -> list[int]:
    """All that a process started, and what that started."""
    children = [
        int(word) for path in Path(f"/proc/{process}/task").glob("*/children") for word in path.read_text().split()
    ]
    return children + [deeper for child in children for deeper in descendants(child)]


def spawned(process: int) -> list[int]:
    """Those of them that Python's multiprocessing started, without its book-keeper; under a nanny the worker first."""
    return [child for child in descendants(process) if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()]


def train(scheduler: str, tasks: Sequence[TrainingTask], store: ModelStore, progress: Any = silent) -> None:
    train_parts(tasks, store, workers=WorkerOptions(engine="dask", address=scheduler), progress=progress)


@pytest.mark.slow
def test_a_worker_killed_in_mid_run_changes_no_bit(scheduler: str, tmp_path: Path, make_tasks: MakeTasks) -> None:
    tasks, store = make_tasks(9, rounds=60)[1:], ModelStore(tmp_path / "models")
    left: list[int] = []

    def killing(items: Iterable[Any], *, total: int, label: str) -> Iterator[Any]:
        for number, item in enumerate(items):
            if number == 1:
                left.extend(descendants(workers[1].process.pid))
                workers[1].process.kill()
            yield item

    with ExitStack() as stack:
        workers = [stack.enter_context(worker(tmp_path, scheduler, "--no-nanny")) for _ in range(2)]
        for one in workers:
            one.said(REGISTERED)
        with dask.config.set({"distributed.admin.large-graph-warning-threshold": "1kB"}):  # a warning is an error here
            train(scheduler, tasks, store, killing)
        assert left
        waited_for(lambda: not any(Path(f"/proc/{child}/cmdline").exists() for child in left))
        waited_for(lambda: not spawned(workers[0].process.pid))  # what has no more to do gives its memory back
        given_up(scheduler, make_tasks(2, rounds=10_000)[1], workers[0])
    assert [store.get_part(task.key) for task in tasks] == [fit_member(task) for task in tasks]


def given_up(scheduler: str, task: TrainingTask, worker: Started) -> None:
    """A training that nobody waits for any more is ended, not worked to its end."""
    with open_cluster(scheduler, WorkerOptions().limits) as crew:
        crew.executor.submit(crew.train, task)
        waited_for(lambda: spawned(worker.process.pid))
    waited_for(lambda: not spawned(worker.process.pid))


def test_a_scheduler_that_does_not_answer_is_named() -> None:
    limits = WorkerOptions().limits
    line = r"^workers\.address was tcp://127\.0\.0\.1:9, where no Dask scheduler answers; start `dask scheduler`, or"
    with (
        pytest.raises(ClusterError, match=line),
        open_cluster("tcp://127.0.0.1:9", limits, answer_within_s=0.2),
    ):
        raise AssertionError("nobody can be there")


def test_a_worker_of_other_versions_is_refused_with_what_differs() -> None:
    check_versions("tcp://host:1", has="keras 3.15, numpy 2.4", wanted="keras 3.15, numpy 2.4")
    line = "^the Dask worker tcp://host:1 has keras 3.14, here it is keras 3.15; install the same there, or stop that"
    with pytest.raises(ClusterError, match=line):
        check_versions("tcp://host:1", has="keras 3.14, numpy 2.4", wanted="keras 3.15, numpy 2.4")


@pytest.mark.slow
def test_a_scheduler_without_a_worker_is_named_with_the_command_to_start_one(scheduler: str) -> None:
    line = rf"^the Dask scheduler {scheduler} has no worker; start `dask worker {scheduler} --nthreads 1`\.$"
    with (
        pytest.raises(ClusterError, match=line),
        open_cluster(scheduler, WorkerOptions().limits, answer_within_s=0.5),
    ):
        raise AssertionError("nobody can be there")


@pytest.mark.slow
def test_a_real_worker_of_other_versions_trains_nothing(scheduler: str, tmp_path: Path, make_tasks: MakeTasks) -> None:
    other = tmp_path / "other" / "keras-0.0.1.dist-info"
    other.mkdir(parents=True)
    (other / "METADATA").write_text("Metadata-Version: 2.1\nName: keras\nVersion: 0.0.1\n")
    line = r"^member logit was not trained: the Dask worker tcp://\S+ has keras 0\.0\.1, here it is keras 3\."
    with (
        worker(tmp_path, scheduler, PYTHONPATH=str(other.parent)),
        pytest.raises(TrainingFailed, match=line),
    ):
        train(scheduler, make_tasks(1), ModelStore(tmp_path / "models"))


@pytest.mark.slow
def test_networks_come_out_the_same_on_a_cluster_whose_workers_die_and_come_back(
    scheduler: str, tmp_path: Path, make_tasks: MakeTasks
) -> None:
    (plain,) = make_tasks(1)
    spec = LstmSpec(name="small", units=(4,), sequence_steps=10, warmup_steps=2, max_epochs=2)
    tasks = [TrainingTask(spec, plain.window, f"{number:064x}") for number in range(6)]
    stores = {name: ModelStore(tmp_path / name) for name in ("cluster", "machine")}

    def killing(items: Iterable[Any], *, total: int, label: str) -> Iterator[Any]:
        for number, item in enumerate(items):
            if number in (0, 2):  # the worker itself, which its nanny starts again; each time it is another
                os.kill(waited_for(lambda: spawned(nanny.process.pid))[0], signal.SIGKILL)
            yield item

    with worker(tmp_path, scheduler) as nanny, worker(tmp_path, scheduler) as other:
        nanny.said(REGISTERED)
        other.said(REGISTERED)
        train(scheduler, tasks, stores["cluster"], killing)
    train_parts(tasks, stores["machine"], workers=WorkerOptions(processes=1), progress=silent)
    assert [stores["cluster"].get_part(task.key) for task in tasks] == [
        stores["machine"].get_part(task.key) for task in tasks
    ]
