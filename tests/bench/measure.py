"""How things are measured: interleaved repetitions, CPU-seconds, processes of one thread."""

import json
import multiprocessing
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

from daemon.training.child import training_environment

Measured = TypeVar("Measured")


@dataclass(frozen=True, slots=True)
class Cost:
    """What one process took, its children included in the CPU time."""

    wall_s: float
    cpu_s: float
    memory_mb: float


MEASURED = """
import json, resource, subprocess, sys, time
start = time.perf_counter()
code = subprocess.call(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
wall_s, usage = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps([code, wall_s, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024]))
"""
"""Runs in a small process of its own: a child's peak begins with what its parent holds when it starts it."""


def process_cost(words: Sequence[str], environment: Mapping[str, str]) -> Cost:
    """Wall clock, CPU time and peak memory of one process. Raises CalledProcessError when it fails."""
    asked = [sys.executable, "-I", "-S", "-c", MEASURED, *words]
    done = subprocess.run(asked, env={**os.environ, **environment}, capture_output=True, text=True, check=True)
    code, *cost = json.loads(done.stdout)
    if code:
        raise subprocess.CalledProcessError(code, words)
    return Cost(*cost)


def interleaved(sides: Mapping[str, Callable[[], Measured]], repetitions: int) -> dict[str, list[Measured]]:
    """What each side said, repetition by repetition.

    They take turns, so that a slow moment of the machine meets all alike. Every other round goes backwards: no side
    always follows the same one.
    """
    runs: dict[str, list[Measured]] = {name: [] for name in sides}
    for number in range(repetitions):
        names = list(sides) if number % 2 == 0 else list(sides)[::-1]
        for name in names:
            runs[name].append(sides[name]())
    return runs


def cpu_s(work: Callable[[], object]) -> float:
    """CPU-seconds of all threads of this process, and of the children that it waited for."""
    before = _cpu_now_s()
    work()
    return _cpu_now_s() - before


def _cpu_now_s() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def resident_mb(process: int | Literal["self"] = "self") -> float:
    """Memory that a process holds now, its libraries' files included."""
    pages = int(Path(f"/proc/{process}/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def peak_mb() -> float:
    """The most memory that this process has held so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@contextmanager
def child() -> Iterator[Executor]:
    """One fresh process like those that the daemon trains in, so that no benchmark inherits what another loaded."""
    with (
        training_environment(threads=1),
        ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool,
    ):
        yield pool
