"""What systemd is told, and what it asks for: one datagram a line (sd_notify(3)), nothing where it did not start us.

The libraries for it know neither RELOADING=1 nor a watchdog that is stretched, and the protocol is one `sendto`.
"""

import os
import socket
import time
from collections.abc import MutableMapping
from contextlib import suppress


class ServiceManager:
    """systemd, or nobody: then every message goes nowhere."""

    def __init__(self, environ: MutableMapping[str, str] = os.environ) -> None:
        """Takes its variables out of `environ`: no child is to speak for the service."""
        address = environ.pop("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        pid, usec = environ.pop("WATCHDOG_PID", str(os.getpid())), environ.pop("WATCHDOG_USEC", "0")
        self.watchdog_s = int(usec) / 1e6 if pid == str(os.getpid()) else 0.0
        """How long it waits for a sign of life before it kills; 0 for ever."""

    def ready(self, status: str) -> None:
        """Started, or reloaded, and in order."""
        self._tell("READY=1", f"STATUS={status}")

    def starting(self, line: str, within_s: float) -> None:
        """Not up yet, and why; it will speak again within so many seconds, and its start may take as long."""
        self._tell(f"STATUS={line}", f"EXTEND_TIMEOUT_USEC={within_s * 1e6:.0f}")

    def status(self, line: str) -> None:
        """What `systemctl status` shows."""
        self._tell(f"STATUS={line}")

    def alive(self) -> None:
        """Something was really done since the last call."""
        self._tell("WATCHDOG=1")

    def allow_silence(self, seconds: float) -> None:
        """Signs of life may be this far apart, where the unit asks for them more often."""
        if 0 < self.watchdog_s < seconds:
            self.watchdog_s = seconds
            self._tell(f"WATCHDOG_USEC={seconds * 1e6:.0f}")

    def reloading(self) -> None:
        """The configuration is read again; `ready` ends it."""
        self._tell("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """It is about to end, as it was told to."""
        self._tell("STOPPING=1", "STATUS=stopping")

    def _tell(self, *lines: str) -> None:
        if not self._address:
            return
        message = "\n".join(" ".join(line.split()) for line in lines)
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as out:
            out.sendto(message.encode(), self._address)  # a manager that does not listen is no reason to fail
