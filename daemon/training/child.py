"""A child process under limits: it works task after task, and ends with everything it started when it breaks one."""

import multiprocessing
import os
import signal
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, TypeVar

from daemon.errors import DaemonError
from ensemble.counted import counted

Argument = TypeVar("Argument")
Result = TypeVar("Result")

WATCH_EVERY_S = 0.1
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
MEMORY_VARIABLE = "GLIBC_TUNABLES"
KEPT_MEMORY = "glibc.malloc.trim_threshold=2000000000:glibc.malloc.mmap_threshold=1000000000:glibc.malloc.hugetlb=1"
"""It keeps what it frees, on large pages: to hand a step's arrays back each time took a fifth of the training."""
_ENVIRONMENT = threading.Lock()


@dataclass(frozen=True, slots=True)
class TaskLimits:
    """What one task may take."""

    timeout_min: float
    memory_mb: int
    threads: int


class ChildFailed(DaemonError):
    """The child broke a limit or died; what it was told to do is not done."""


class DiedIdle(ChildFailed):
    """The child died before it took up what it was told to do: no fault of that, and another child can do it."""


class GivenUp(DaemonError):
    """Whoever asked for the result no longer wants it."""


class Child:
    """One spawned process: libraries that leak or load slowly are loaded there, once, and never here."""

    def __init__(self, limits: TaskLimits) -> None:
        context = multiprocessing.get_context("spawn")
        self._limits = limits
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs,), daemon=True)
        with training_environment(limits.threads), _deaf_to_ctrl_c():
            self._process.start()
        with suppress(OSError):  # from its first breath: what it loads before it could say so itself is most of it
            Path(f"/proc/{self._process.ident}/oom_score_adj").write_text("1000", encoding="ascii")
        theirs.close()

    @property
    def alive(self) -> bool:
        """False once it has ended, or was ended by somebody else."""
        return not self._pipe.closed and self._process.is_alive()

    def call(
        self, function: Callable[[Argument], Result], argument: Argument, *, given_up: Callable[[], bool]
    ) -> Result:
        """function(argument), worked out in the child; what it raises there is raised here.

        Raises ChildFailed (DiedIdle where it never began) or GivenUp, and then the child has been ended.
        """
        end = time.monotonic() + self._limits.timeout_min * 60
        try:
            self._answer(end, given_up, died=DiedIdle)  # it is up and listening, so that sending cannot block
            with suppress(BrokenPipeError):  # it died meanwhile, as will be told next
                self._pipe.send((function, argument))
            self._answer(end, given_up, died=DiedIdle)  # it has taken it up
            failed, answer = self._answer(end, given_up)
        except BaseException:
            self.end()
            raise
        if failed:
            raise answer
        result: Result = answer
        return result

    def end(self) -> None:
        """Kills it and all that it started."""
        with suppress(ProcessLookupError):  # it is gone, or too young to lead a group
            os.killpg(self._process.ident or 0, signal.SIGKILL)
        self._process.kill()
        self._process.join()
        self._pipe.close()

    def _answer(self, end: float, given_up: Callable[[], bool], *, died: type[ChildFailed] = ChildFailed) -> Any:
        try:
            while not self._pipe.poll(WATCH_EVERY_S):
                if given_up():
                    raise GivenUp("it is no longer wanted.")
                self._check(end)
            return self._pipe.recv()
        except (EOFError, ConnectionError):
            self._process.join()
            raise died(
                f"its process {_ended(self._process.exitcode)}, most likely for want of memory; "
                "lower workers.processes or ensemble.window_years."
            ) from None

    def _check(self, end: float) -> None:
        """Raises ChildFailed when a limit is broken.

        RLIMIT_DATA would hold TensorFlow as well, but what then fails is any of a dozen allocations, each with an error
        of its own, so memory is watched instead.
        """
        if time.monotonic() > end:
            raise ChildFailed(
                f"it was not done in workers.task_timeout_min, {counted(self._limits.timeout_min, 'minute', 'g')}, and "
                "was ended; raise that, or lower ensemble.window_years."
            )
        used_mb = _resident_mb(self._process.ident)
        if used_mb > self._limits.memory_mb:
            raise ChildFailed(
                f"it took {used_mb:.0f} MB, more than workers.task_memory_mb, {self._limits.memory_mb}, and was ended; "
                "raise that, or lower ensemble.window_years."
            )


class Children:
    """As many children as are called at one time; one that is idle is called again before another is started."""

    def __init__(self, limits: TaskLimits) -> None:
        self._limits = limits
        self._idle: list[Child] = []

    def call(
        self, function: Callable[[Argument], Result], argument: Argument, *, given_up: Callable[[], bool]
    ) -> Result:
        """function(argument), worked out in one of them. Raises ChildFailed, GivenUp, and what the function raises."""
        while (idle := self._living()) is not None:
            with suppress(DiedIdle), self._kept(idle):  # the kernel may not yet have told of its end
                return idle.call(function, argument, given_up=given_up)
        with self._kept(Child(self._limits)) as child:
            return child.call(function, argument, given_up=given_up)

    def end(self) -> None:
        """Kills those that are idle."""
        while self._idle:
            self._idle.pop().end()

    @contextmanager
    def _kept(self, child: Child) -> Iterator[Child]:
        """Idle again afterwards, if it lives."""
        try:
            yield child
        finally:
            if child.alive:
                self._idle.append(child)

    def _living(self) -> Child | None:
        """An idle one. The kernel ends these first when memory is short, and that is no task's fault."""
        with suppress(IndexError):  # none is left, other threads take them too
            while True:
                child = self._idle.pop()
                if child.alive:
                    return child
                child.end()
        return None


def _serve(pipe: Connection) -> None:
    """The child's whole life: say that it listens, say that it has heard, do what it is told, answer."""
    os.setsid()  # a group of its own, to be killed as one
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to answer
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    while True:
        pipe.send(None)
        function, argument = pipe.recv()
        pipe.send(None)
        try:
            pipe.send((False, function(argument)))
        except Exception as error:
            error.add_note(traceback.format_exc())  # for --debug: where it was raised does not travel
            pipe.send((True, error))


def _end_with(parent: BaseProcess) -> None:
    """When the parent is killed, its children do not train on."""
    parent.join()
    os.killpg(0, signal.SIGKILL)


def _ended(exit_code: int | None) -> str:
    if exit_code is not None and exit_code < 0:
        return f"was ended by {signal.Signals(-exit_code).name}"
    return f"ended with code {exit_code}"


def _resident_mb(process: int | None) -> float:
    """Memory it holds now; 0 once it is gone."""
    try:
        pages = int(Path(f"/proc/{process}/statm").read_text(encoding="ascii").split()[1])
    except OSError:
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


@contextmanager
def _deaf_to_ctrl_c() -> Iterator[None]:
    """What starts inside is born with SIGINT blocked: until `_serve` ignores it, it would die with a traceback."""
    resource_tracker.ensure_running()  # to start that later would let the signal through again
    saved = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, saved)


@contextmanager
def training_environment(threads: int) -> Iterator[None]:
    """That of a child, in force while it starts: it reads it then and when it loads NumPy, before any code of ours."""
    wanted = dict.fromkeys(THREAD_VARIABLES, str(threads)) | {MEMORY_VARIABLE: KEPT_MEMORY}
    with _ENVIRONMENT:
        saved = {name: os.environ.get(name) for name in wanted}
        os.environ.update(wanted)
        try:
            yield
        finally:
            for name, value in saved.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value
