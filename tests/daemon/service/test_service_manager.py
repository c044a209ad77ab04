"""What systemd hears, read from a socket as systemd reads it."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.service.service_manager import ServiceManager


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(str(tmp_path / "notify"))
        heard.settimeout(10)
        yield heard


def environment(listener: socket.socket, **more: str) -> dict[str, str]:
    return {"NOTIFY_SOCKET": listener.getsockname(), "PATH": "/bin"} | more


def test_every_state_is_one_datagram(listener: socket.socket) -> None:
    manager = ServiceManager(environment(listener))
    manager.ready("up\nand running")
    manager.alive()
    manager.reloading()
    manager.stopping()
    heard = [listener.recv(1000).decode() for _ in range(4)]
    assert heard[:2] == ["READY=1\nSTATUS=up and running", "WATCHDOG=1"]
    assert heard[2].startswith("RELOADING=1\nMONOTONIC_USEC=")
    assert heard[3] == "STOPPING=1\nSTATUS=stopping"


def test_a_start_that_waits_says_so_and_asks_for_the_time(listener: socket.socket) -> None:
    ServiceManager(environment(listener)).starting("waiting until the server answers", 61.5)
    assert listener.recv(1000) == b"STATUS=waiting until the server answers\nEXTEND_TIMEOUT_USEC=61500000"


def test_a_child_cannot_speak_for_the_service(listener: socket.socket) -> None:
    environ = environment(listener, WATCHDOG_USEC="1000000", WATCHDOG_PID=str(os.getpid()))
    ServiceManager(environ)
    assert environ == {"PATH": "/bin"}


@pytest.mark.parametrize(("pid", "waits_s"), [(os.getpid(), 20.0), (1, 0.0)], ids=["itself", "another"])
def test_the_watchdog_counts_for_the_process_that_it_is_meant_for(
    pid: int, waits_s: float, listener: socket.socket
) -> None:
    environ = environment(listener, WATCHDOG_USEC="20000000", WATCHDOG_PID=str(pid))
    assert ServiceManager(environ).watchdog_s == waits_s


def test_the_watchdog_is_stretched_to_the_longest_silence_and_never_shortened(listener: socket.socket) -> None:
    manager = ServiceManager(environment(listener, WATCHDOG_USEC="20000000"))
    manager.allow_silence(5)
    manager.allow_silence(60)
    assert listener.recv(1000) == b"WATCHDOG_USEC=60000000"
    assert manager.watchdog_s == 60


def test_without_systemd_nothing_is_said_and_nothing_fails(tmp_path: Path) -> None:
    ServiceManager({}).ready("up")
    ServiceManager({"NOTIFY_SOCKET": str(tmp_path / "nobody")}).alive()
