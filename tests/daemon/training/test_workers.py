"""What the [workers] table asks for is there, or one line says what is missing."""

import os
import sys
from pathlib import Path

import pytest

from daemon.config.settings import load_settings
from daemon.errors import ConfigError
from daemon.training.child import TaskLimits
from daemon.training.workers import WorkerOptions


def refusal(folder: Path, text: str) -> str:
    (folder / "config.toml").write_text(f"[workers]\n{text}\n", encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_settings(folder / "config.toml", {})
    assert caught.value.exit_code == 78
    return str(caught.value)


def test_dask_without_an_address_is_refused(tmp_path: Path) -> None:
    line = 'workers: address is missing; engine "dask" needs its scheduler\'s, such as "tcp://host:8786".'
    assert refusal(tmp_path, 'engine = "dask"') == line


def test_dask_without_its_extra_is_refused_with_the_command_that_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    line = 'workers: engine "dask" needs the package distributed; run `pip install distributed` where this runs.'
    assert refusal(tmp_path, 'engine = "dask"\naddress = "host:8786"') == line


@pytest.mark.parametrize("address", ["host", "host:", "tcp://host", "tcp://host:8786/path"])
def test_an_address_names_host_and_port(address: str, tmp_path: Path) -> None:
    assert refusal(tmp_path, f'address = "{address}"').startswith(f'workers.address was "{address}"; it must match ')


def test_without_a_number_there_are_as_many_processes_as_the_cores_have_threads_for() -> None:
    cores = len(os.sched_getaffinity(0))
    assert WorkerOptions().count == cores
    assert WorkerOptions(threads=64).count == max(cores // 64, 1)
    assert WorkerOptions(processes=3, threads=2).count == 3


def test_a_task_is_held_to_the_limits_of_the_table() -> None:
    options = WorkerOptions(threads=2, task_timeout_min=1.5, task_memory_mb=700)
    assert options.limits == TaskLimits(timeout_min=1.5, memory_mb=700, threads=2)
