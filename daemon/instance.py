"""One instance a state folder: the lock is held for as long as the process lives, and says who holds it.

A database on a server may be reached from other folders and hosts, so it has a lock of its own (storage/server.py).
"""

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from daemon.errors import AlreadyRunning, DaemonError


@contextmanager
def only_instance(state_dir: Path) -> Iterator[None]:
    """Holds `state_dir`/lock. Raises AlreadyRunning, naming its holder, and DaemonError when it cannot be written.

    The kernel lets go when the process ends, however it ends, so there is never a stale lock to remove.
    """
    path = state_dir / "lock"
    try:
        state_dir.mkdir(parents=True, exist_ok=True)
        file = path.open("ab+", buffering=0)
    except OSError as error:
        raise DaemonError(
            f"storage.state_dir {state_dir} cannot be written: {error.strerror}; choose another, or mend its rights."
        ) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read().decode(errors="replace").strip() or "unknown"
            raise AlreadyRunning(
                f"process {holder} already works on {state_dir}; stop it first, or use another storage.state_dir."
            ) from None
        with suppress(OSError):  # on a full disk it holds the lock without saying who it is
            file.truncate(0)
            file.write(str(os.getpid()).encode())
        yield


def this_instance() -> str:
    """Who this is, for instances on other hosts."""
    return f"process {os.getpid()} on {socket.gethostname()}"
