"""One push in a process of its own: what the client library loads, leaks or waits for ends with it.

Run as `python -m daemon.mirror.process`, the order as JSON on standard input. One line of JSON on standard output says
what came of it.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any, Protocol

from daemon.console.redaction import one_line, redacted
from storage.backups import backup_named
from storage.cloud.bucket import Bucket
from storage.cloud.push import Local, Pushed, push
from storage.model_store import ModelStore

LONGEST_S = 3600.0
"""A first push of everything over a slow line; what it has not done by then the next one goes on with."""
NICENESS = 10
"""A session's work goes first."""

Order = Mapping[str, Any]
"""What `push_order` makes: what to mirror, and where to; no secret, only the path of one."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of an order."""

    pushed: Pushed = field(default_factory=Pushed)
    failed: str = ""
    """Why it was in vain; empty when it was not."""


class Carrier(Protocol):
    """Who carries an order out."""

    def __call__(self, order: Order) -> Answer:
        """Never raises."""

    def stop(self) -> None:
        """Ends what is under way, from another thread."""


@dataclass
class PushProcess:
    """A process an order."""

    _child: "subprocess.Popen[str] | None" = None

    def __call__(self, order: Order) -> Answer:
        """Within LONGEST_S."""
        command, pipe = [sys.executable, "-m", "daemon.mirror.process"], subprocess.PIPE
        try:
            self._child = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True)
            said, complaint = self._child.communicate(json.dumps(order), timeout=LONGEST_S)
            answer = json.loads(said or "{}")
            failed = answer.get("failed", _last_line(complaint) or f"exit code {self._child.returncode}")
            pushed = answer.get("pushed", {})
            return Answer(Pushed(**pushed | {"left_out": tuple(pushed.get("left_out", ()))}), failed)
        except subprocess.TimeoutExpired:
            return Answer(failed=f"not done within {LONGEST_S:.0f} s")
        except (OSError, ValueError) as error:
            return Answer(failed=f"{type(error).__name__}: {error}")
        finally:
            self.stop()

    def stop(self) -> None:
        """What went up by then stays there."""
        if self._child is not None and self._child.poll() is None:
            self._child.kill()
            self._child.wait()


def push_order(bucket: Bucket, local: Local, *, now: datetime, keep_backups: int) -> Order:
    """The order that `carried_out` understands."""
    return {
        "bucket": [bucket.name, bucket.prefix, str(bucket.credentials or ""), bucket.timeout_s],
        "models": str(local.models.root),
        "model_id": local.model_id,
        "backup": str(local.backup.path) if local.backup else "",
        "account": local.account.isoformat() if local.account else "",
        "settled": local.settled.isoformat() if local.settled else "",
        "now": now.isoformat(),
        "keep_backups": keep_backups,
    }


def carried_out(order: Order) -> Pushed:
    """Does it. Raises CloudError, ModelStoreError and OSError."""
    name, prefix, credentials, timeout_s = order["bucket"]
    local = Local(
        ModelStore(Path(order["models"]), read_only=True),
        order["model_id"],
        backup_named(Path(order["backup"])),
        datetime.fromisoformat(order["account"]) if order["account"] else None,
        date.fromisoformat(order["settled"]) if order["settled"] else None,
    )
    bucket = Bucket(name, prefix, Path(credentials) if credentials else None, timeout_s)
    return push(bucket, local, now=datetime.fromisoformat(order["now"]), keep_backups=order["keep_backups"])


def _last_line(text: str) -> str:
    return next(iter(reversed(text.strip().splitlines())), "")


def main() -> None:
    """One order from standard input."""
    with suppress(OSError):  # the unit's filter of system calls forbids it
        os.nice(NICENESS)
    try:
        answer = Answer(carried_out(json.load(sys.stdin)))
    except Exception as error:  # whatever it is, the daemon goes by a line
        answer = Answer(failed=one_line(redacted(f"{error}" or type(error).__name__))[:400])
    sys.stdout.write(json.dumps(asdict(answer)) + "\n")


if __name__ == "__main__":
    main()
