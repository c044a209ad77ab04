"""Whoever trains, and in whatever order they are done, the results are the same; what goes wrong is told in a line."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path
from random import Random
from typing import Any

import pytest

from daemon.console.progress import silent
from daemon.training.crew import Crew
from daemon.training.trainer import TrainingFailed, publish_results, train_parts
from daemon.training.workers import WorkerOptions
from ensemble.members.errors import TrainingError
from ensemble.members.fitted import Files
from ensemble.members.tasks import TrainingTask, fit_member
from storage.model_store import ModelStore

MakeTasks = Callable[..., list[TrainingTask]]


class Unruly(Executor):
    """Begins only when it has `count` tasks, and does them in an order of its own."""

    def __init__(self, count: int, shuffle: Callable[[list[Any]], None]) -> None:
        self._count, self._shuffle, self._held = count, shuffle, list[Any]()
        self.finished = list[Any]()
        """What each was asked for, in the order in which they were done."""

    def submit(self, function: Any, /, *arguments: Any, **named: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self._held.append((future, function, arguments))
        if len(self._held) == self._count:
            self._shuffle(self._held)
            threading.Thread(target=self._work).start()
        return future

    def _work(self) -> None:
        for future, function, arguments in self._held:
            self.finished.append(arguments)
            future.set_result(function(*arguments))


@pytest.fixture(scope="module")
def tasks(make_tasks: MakeTasks) -> list[TrainingTask]:
    return make_tasks(5)


@pytest.fixture(scope="module")
def expected(tasks: list[TrainingTask]) -> list[Files]:
    """What they give in this process, one after the other."""
    return [fit_member(task) for task in tasks]


def stored(store: ModelStore, tasks: list[TrainingTask]) -> list[Files]:
    return [store.get_part(task.key) for task in tasks]


def test_two_workers_give_the_same_as_one(tmp_path: Path, tasks: list[TrainingTask], expected: list[Files]) -> None:
    store = ModelStore(tmp_path)
    train_parts(tasks, store, workers=WorkerOptions(processes=2), progress=silent)
    assert stored(store, tasks) == expected


@pytest.mark.parametrize("shuffle", [list.reverse, Random(3).shuffle], ids=["reversed", "shuffled"])
def test_results_are_the_same_in_any_order_of_finishing(
    shuffle: Callable[[list[Any]], None], tmp_path: Path, tasks: list[TrainingTask], expected: list[Files]
) -> None:
    store, arrived = ModelStore(tmp_path), list[str]()

    def watched(items: Iterable[Any], *, total: int, label: str) -> Iterator[Any]:
        for task, future in items:
            arrived.append(task.key)
            yield task, future

    executor = Unruly(len(tasks), shuffle)
    publish_results(Crew(executor, fit_member, lambda: len(tasks)), tasks, store, watched)
    keys = [task.key for task in tasks]
    assert sorted(arrived) == sorted(keys)
    assert [task.key for (task,) in executor.finished] != keys
    assert stored(store, tasks) == expected


class Counting(ThreadPoolExecutor):
    """One thread; `most` is how many tasks were in its hands at one time."""

    most = now = 0

    def submit(self, function: Any, /, *arguments: Any, **named: Any) -> Future[Any]:
        future = super().submit(function, *arguments, **named)
        self.now += 1
        self.most = max(self.most, self.now)
        future.add_done_callback(self._less)
        return future

    def _less(self, future: Future[Any]) -> None:
        self.now -= 1


def test_no_more_is_handed_in_than_there_is_room_for(tmp_path: Path, make_tasks: MakeTasks) -> None:
    def work(task: TrainingTask) -> Files:
        time.sleep(0.02)
        return {"name": task.key.encode()}

    tasks, store = make_tasks(7), ModelStore(tmp_path)
    with Counting(1) as executor:
        publish_results(Crew(executor, work, lambda: 3), tasks, store, silent)
    assert executor.most == 3
    assert stored(store, tasks) == [{"name": task.key.encode()} for task in tasks]


@pytest.mark.parametrize(
    ("error", "told"),
    [(TrainingError("its loss is not a number."), "its loss is not a number."), (KeyError("gate"), "KeyError: 'gate'")],
)
def test_whatever_a_library_raises_is_told_as_a_training_that_failed(
    error: Exception, told: str, tmp_path: Path, make_tasks: MakeTasks
) -> None:
    def work(task: TrainingTask) -> Files:
        raise error

    with (
        ThreadPoolExecutor(1) as executor,
        pytest.raises(TrainingFailed, match=rf"^member logit was not trained: {told}$"),
    ):
        publish_results(Crew(executor, work, lambda: 1), make_tasks(1), ModelStore(tmp_path), silent)


class CalledOff(Executor):
    """What Dask does when its scheduler has gone."""

    def submit(self, function: Any, /, *arguments: Any, **named: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.cancel()
        future.set_running_or_notify_cancel()
        return future


def test_a_cluster_that_is_gone_is_told_as_such(tmp_path: Path, make_tasks: MakeTasks) -> None:
    with pytest.raises(TrainingFailed, match="the training was called off, for the Dask scheduler is gone; start it"):
        publish_results(Crew(CalledOff(), fit_member, lambda: 1), make_tasks(1), ModelStore(tmp_path), silent)


def test_when_every_worker_is_gone_it_is_not_waited_for_ever(
    tmp_path: Path, make_tasks: MakeTasks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daemon.training.trainer.LOOK_EVERY_S", 0.01)
    crew = Crew(Unruly(2, list.reverse), fit_member, lambda: 0)
    with pytest.raises(TrainingFailed, match=r"^every worker is gone; start one, then run the same command again"):
        publish_results(crew, make_tasks(1), ModelStore(tmp_path), silent)


@pytest.mark.parametrize(
    ("limit", "line"),
    [
        ({"task_timeout_min": 0.001}, r"it was not done in workers\.task_timeout_min, 0\.001 minutes, and was ended; "),
        ({"task_memory_mb": 100}, r"it took \d+ MB, more than workers\.task_memory_mb, 100, and was ended; "),
    ],
)
def test_a_member_over_its_limit_is_named_with_limit_value_and_remedy(
    limit: dict[str, Any], line: str, tmp_path: Path, tasks: list[TrainingTask]
) -> None:
    with pytest.raises(TrainingFailed, match=rf"^member logit was not trained: {line}raise that, or lower .+\.$"):
        train_parts(tasks[:1], ModelStore(tmp_path), workers=WorkerOptions(**limit), progress=silent)


def test_a_program_that_was_updated_while_it_ran_trains_nothing_under_the_old_name(
    tmp_path: Path, make_tasks: MakeTasks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daemon.training.crew.training_version", lambda: "ensemble of yesterday")
    line = r"^member logit was not trained: the program was updated while it ran; start it again\.$"
    store, (task,) = ModelStore(tmp_path), make_tasks(1)
    with pytest.raises(TrainingFailed, match=line):
        train_parts([task], store, workers=WorkerOptions(processes=1), progress=silent)
    assert not store.has_part(task.key)


class AllAtOnce(Executor):
    """Answers every task before it is asked, in the order in which they were handed in."""

    def submit(self, function: Any, /, *arguments: Any, **named: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(function(*arguments))
        except RuntimeError as error:
            future.set_exception(error)
        return future


def test_what_was_done_is_kept_when_another_task_fails_at_the_same_time(tmp_path: Path, make_tasks: MakeTasks) -> None:
    tasks, store = make_tasks(3), ModelStore(tmp_path)

    def train(task: TrainingTask) -> Files:
        if task is tasks[0]:
            raise RuntimeError("no luck")
        return {"member.json": b"{}"}

    with pytest.raises(TrainingFailed, match="no luck"):
        publish_results(Crew(AllAtOnce(), train, lambda: 3), tasks, store, silent)
    assert [store.has_part(task.key) for task in tasks] == [False, True, True]
