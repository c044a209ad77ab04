"""`serve` as a process: it answers on loopback while the daemon works, and ends when told."""

import json
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from daemon.instance import only_instance

pytestmark = pytest.mark.slow


@contextmanager
def serving(folder: Path, port: int) -> Iterator["subprocess.Popen[str]"]:
    words = [sys.executable, "-c", "from daemon.cli import main; main()", "--config", str(folder / "config.toml")]
    told = subprocess.PIPE
    process = subprocess.Popen([*words, "serve", "--port", str(port)], stdout=told, stderr=told, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def answer(url: str) -> tuple[int, str]:
    try:
        with urlopen(url, timeout=20) as response:
            return response.status, response.read().decode()
    except HTTPError as error:
        return error.code, error.read().decode()


def test_it_answers_beside_a_working_daemon_and_ctrl_c_ends_it_with_exit_0(copy: Path) -> None:
    port = free_port()
    with only_instance(copy / "state"), serving(copy, port) as process:
        assert process.stdout is not None
        assert f"http://127.0.0.1:{port}/" in process.stdout.readline()
        status, health = answer(f"http://127.0.0.1:{port}/health")
        assert (status, json.loads(health)["healthy"]) == (503, False)  # the installation's sessions lie years back
        status, metrics = answer(f"http://127.0.0.1:{port}/metrics")
        assert (status, re.findall(r"^reliance_daemon_healthy (.*)$", metrics, re.M)) == (200, ["0.0"])
        status, page = answer(f"http://127.0.0.1:{port}/")
        assert status == 200
        assert page.startswith("<!doctype html>")
        listening = Path("/proc/net/tcp").read_text()
        assert f"0100007F:{port:04X} 00000000:0000 0A" in listening
        assert f"00000000:{port:04X} 00000000:0000 0A" not in listening
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == 0


def test_a_port_that_is_taken_is_one_line_and_exit_1(copy: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with serving(copy, port) as process:
            shown, told = process.communicate(timeout=60)
            assert (process.returncode, shown) == (1, "")
    assert told.strip() == f"reliance-daemon: --port was {port}: Address already in use; choose another."


def test_a_missing_database_is_told_by_the_page_and_the_next_request_finds_the_new_one(copy: Path) -> None:
    port, database = free_port(), copy / "state" / "signals.db"
    database.rename(database.with_suffix(".away"))
    with serving(copy, port) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert answer(f"http://127.0.0.1:{port}/metrics")[0] == 503
        database.with_suffix(".away").rename(database)
        assert answer(f"http://127.0.0.1:{port}/metrics")[0] == 200
