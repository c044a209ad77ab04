"""A child works under limits, and ends with everything it started."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from timeit import timeit

import pytest

from daemon.training.child import Child, ChildFailed, Children, DiedIdle, GivenUp, TaskLimits

WIDE = TaskLimits(timeout_min=2, memory_mb=4000, threads=3)
START_SLEEPER = partial(os.spawnlp, os.P_NOWAIT, "sleep", "sleep")
OWN_ID = partial(os.readlink)
"""Of /proc/self: a function of one argument that tells the process it runs in."""


def never() -> bool:
    return False


def gone(process: int) -> bool:
    """Ended within 10 s; one that nobody has waited for yet counts, too."""
    end = time.monotonic() + 10
    while time.monotonic() < end:
        try:
            if Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except FileNotFoundError:
            return True
        time.sleep(0.02)
    return False


@pytest.fixture(scope="module")
def child() -> Iterator[Child]:
    """One that the harmless tests share."""
    started = Child(WIDE)
    yield started
    started.end()


def test_what_a_call_raises_is_raised_here_and_the_child_works_on(child: Child) -> None:
    before = child.call(OWN_ID, "/proc/self", given_up=never)
    with pytest.raises(ValueError, match="invalid literal") as caught:
        child.call(int, "x", given_up=never)
    assert "Traceback" in caught.value.__notes__[0]  # for --debug
    assert child.call(OWN_ID, "/proc/self", given_up=never) == before != str(os.getpid())


def test_it_has_the_threads_it_is_given_and_nobody_else_has(child: Child) -> None:
    here = os.getenv("OMP_NUM_THREADS")
    assert child.call(os.getenv, "OMP_NUM_THREADS", given_up=never) == "3"
    assert os.getenv("OMP_NUM_THREADS") == here


def test_when_memory_runs_out_the_kernel_ends_the_child_rather_than_the_daemon(child: Child) -> None:
    assert child.call(Path.read_text, Path("/proc/self/oom_score_adj"), given_up=never) == "1000\n"
    assert Path("/proc/self/oom_score_adj").read_text() != "1000\n"


def test_what_it_started_ends_with_it() -> None:
    child = Child(WIDE)
    started = child.call(START_SLEEPER, "600", given_up=never)
    assert Path(f"/proc/{started}").exists()
    child.end()
    assert not child.alive
    assert gone(started)


LIMITS: dict[str, tuple[TaskLimits, Callable[[str], object], str]] = {
    r"it was not done in workers\.task_timeout_min, 0\.01 minutes, and was ended; raise that, or lower ens": (
        TaskLimits(timeout_min=0.01, memory_mb=4000, threads=1),
        timeit,
        "import time; time.sleep(600)",
    ),
    r"it took \d+ MB, more than workers\.task_memory_mb, 150, and was ended; raise that, or lower ens": (
        TaskLimits(timeout_min=2, memory_mb=150, threads=1),
        partial(timeit, setup="import time; held = b'x' * 250_000_000"),
        "time.sleep(600)",
    ),
}


@pytest.mark.parametrize("line", LIMITS)
def test_a_broken_limit_ends_the_child_and_names_limit_value_and_remedy(line: str) -> None:
    limits, function, argument = LIMITS[line]
    child = Child(limits)
    with pytest.raises(ChildFailed, match=line):
        child.call(function, argument, given_up=never)
    assert not child.alive


def test_a_child_that_dies_is_told_with_the_signal_and_the_next_call_gets_another() -> None:
    children = Children(WIDE)
    with pytest.raises(ChildFailed, match=r"its process was ended by SIGKILL, most likely for want of memory; lower "):
        children.call(partial(os.kill, 0), signal.SIGKILL, given_up=never)  # its whole group: itself
    assert children.call(len, "abc", given_up=never) == 3
    children.end()


def test_what_is_no_longer_wanted_is_ended_at_once() -> None:
    child = Child(WIDE)
    started = time.monotonic()
    with pytest.raises(GivenUp):
        child.call(time.sleep, 600.0, given_up=lambda: time.monotonic() > started + 0.3)
    assert not child.alive


def test_one_that_was_ended_while_idle_says_that_it_never_began() -> None:
    child = Child(WIDE)
    process = int(child.call(OWN_ID, "/proc/self", given_up=never))
    os.kill(process, signal.SIGKILL)
    assert gone(process)
    with pytest.raises(DiedIdle):
        child.call(len, "abc", given_up=never)


@pytest.mark.parametrize("pause_s", [0.0, 0.002, 0.05])
def test_one_that_was_ended_while_idle_is_no_task_s_failure(pause_s: float) -> None:
    children = Children(WIDE)
    process = int(children.call(OWN_ID, "/proc/self", given_up=never))
    os.kill(process, signal.SIGKILL)
    time.sleep(pause_s)  # the kernel takes a moment, in which it still looks alive
    assert children.call(len, "abc", given_up=never) == 3
    children.end()


STARTED_UNDER_CTRL_C = """
import os, signal, time
from daemon.training.child import Child, TaskLimits
if __name__ == "__main__":
    signal.signal(signal.SIGINT, lambda number, frame: None)
    child = Child(TaskLimits(timeout_min=2, memory_mb=4000, threads=1))
    for _ in range(10):
        os.killpg(0, signal.SIGINT)
        time.sleep(0.03)
    print(child.call(len, "abc", given_up=lambda: False))
    child.end()
"""


def test_ctrl_c_is_the_parents_to_answer_also_while_a_child_starts(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(STARTED_UNDER_CTRL_C)
    command = [sys.executable, str(tmp_path / "script.py")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, start_new_session=True, check=False)
    assert (done.stdout, done.stderr) == ("3\n", "")
