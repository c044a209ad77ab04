"""Sends one message to one channel, in a process of its own: whatever it loads, leaks or waits for ends with it.

Run as `python -m daemon.notify.messenger`, the message as JSON on standard input: secrets are in no argument that
others see. Exit 0 says that the channel took it; else one line on standard output says why not. The only importer of
Apprise.
"""

import io
import json
import logging
import subprocess
import sys
from collections.abc import Callable, Mapping
from typing import Any
from urllib.request import Request, urlopen

from daemon.console.redaction import one_line, redacted

Message = Mapping[str, Any]
"""channel, url, title, body, timeout_s."""
Send = Callable[[Message], str | None]
"""None when the channel took it, else why not."""
STARTING_S = 10.0
"""What the process may take beside the sending itself."""


def send(message: Message) -> str | None:
    """None when the channel took the message, else why not, in a line without a secret. Never raises, never hangs."""
    limit_s = message["timeout_s"] + STARTING_S
    command = [sys.executable, "-m", "daemon.notify.messenger"]
    try:
        done = subprocess.run(
            command, input=json.dumps(message), capture_output=True, text=True, timeout=limit_s, check=False
        )
    except subprocess.TimeoutExpired:
        return f"no answer within {limit_s:.0f} s"
    except OSError as error:
        return f"no process could be started ({error.strerror})"
    return None if done.returncode == 0 else one_line(redacted(_reason(done)))[:300]


def _reason(done: "subprocess.CompletedProcess[str]") -> str:
    said = (done.stdout or done.stderr).strip().splitlines()
    return said[-1] if said else f"exit code {done.returncode}"


def _deliver(message: Message) -> str | None:
    return _ping(message) if message["channel"] == "ping" else _notify(message)


def _ping(message: Message) -> str | None:
    request = Request(message["url"], headers={"User-Agent": "reliance-daemon"})
    try:
        with urlopen(request, timeout=message["timeout_s"]):
            return None
    except (OSError, ValueError) as error:
        return f"{type(error).__name__}: {error}"


def _notify(message: Message) -> str | None:
    import apprise

    said = io.StringIO()
    logging.basicConfig(stream=said, level=logging.WARNING, format="%(message)s")
    asset = apprise.AppriseAsset(app_id="reliance-daemon", async_mode=False, secure_logging=True)
    channel = apprise.Apprise.instantiate(message["url"], asset=asset)
    if channel is None:
        return f"Apprise knows no such URL: {said.getvalue()}"
    channel.socket_connect_timeout = channel.socket_read_timeout = message["timeout_s"]
    taken = channel.notify(title=message["title"], body=message["body"])
    return None if taken else said.getvalue().strip() or "refused"


def main() -> None:
    """One message from standard input."""
    reason = _deliver(json.load(sys.stdin))
    if reason is not None:
        sys.stdout.write(f"{' '.join(reason.split())}\n")
        sys.exit(1)


if __name__ == "__main__":
    main()
