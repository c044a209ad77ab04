"""A headless Chromium without a network, by its own protocol: https://chromedevtools.github.io/devtools-protocol/."""

import base64
import json
import shutil
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run"),
    *("--disable-background-networking", "--remote-debugging-port=0", "--disable-dev-shm-usage"),
)
STARTS_WITHIN_S = 30.0
LARGEST_ANSWER = 64 * 1024 * 1024


def program() -> str | None:
    """Where the browser is, None where there is none."""
    return next((found for found in map(shutil.which, NAMES) if found), None)


@dataclass
class Page:
    """One tab. `errors` holds whatever its console complained of, `requests` every address that it asked for."""

    connection: ClientConnection
    errors: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    _number: int = 0

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """The answer; what happens meanwhile is noted."""
        self._number += 1
        self.connection.send(json.dumps({"id": self._number, "method": method, "params": parameters}))
        while True:
            told = json.loads(self.connection.recv(timeout=60))
            if told.get("id") == self._number:
                assert "error" not in told, told
                return dict(told["result"])
            self._note(told["method"], told["params"])

    def open(self, path: Path, *, width: int, dark: bool = False, height: int = 900) -> None:
        """Opens the file as a window of that width, and waits until its charts are drawn."""
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", media="", features=[scheme])
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        self.call("Page.navigate", url=path.as_uri())
        self.wait_for("document.documentElement?.dataset.drawn === 'yes'")

    def wait_for(self, condition: str, *, at_most_s: float = 60.0) -> None:
        """Until the expression is true in the page."""
        end = time.monotonic() + at_most_s
        while not self.value(condition):
            assert time.monotonic() < end, f"{condition} never came true; errors: {self.errors}"
            time.sleep(0.05)

    def value(self, expression: str) -> Any:
        """What the expression comes to in the page, promises waited for."""
        found = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def screenshot(self, path: Path, *, top: float = 0, height: int) -> None:
        """A PNG of the window's width, from `top` of the page on."""
        width = self.value("document.documentElement.clientWidth")
        clip = {"x": 0, "y": top, "width": width, "height": height, "scale": 1}
        shot = self.call("Page.captureScreenshot", format="png", clip=clip, captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(shot["data"]))

    def _note(self, method: str, told: dict[str, Any]) -> None:
        if method == "Runtime.exceptionThrown":
            self.errors.append(json.dumps(told["exceptionDetails"])[:500])
        elif method == "Runtime.consoleAPICalled" and told["type"] in ("error", "warning", "assert"):
            self.errors.append(json.dumps(told["args"])[:500])
        elif method == "Log.entryAdded" and told["entry"]["level"] in ("error", "warning"):
            self.errors.append(told["entry"]["text"][:500])
        elif method == "Network.requestWillBeSent":
            self.requests.append(told["request"]["url"])


@contextmanager
def page() -> Iterator[Page]:
    """A tab of a new browser, without a network."""
    browser = program()
    assert browser is not None
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        child = subprocess.Popen(
            [browser, *FLAGS, f"--user-data-dir={folder}", "about:blank"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            with connect(_address(Path(folder)), max_size=LARGEST_ANSWER) as connection:
                tab = Page(connection)
                for domain in ("Page", "Runtime", "Log", "Network"):
                    tab.call(f"{domain}.enable")
                nothing = {"latency": 0, "downloadThroughput": 0, "uploadThroughput": 0}
                tab.call("Network.emulateNetworkConditions", offline=True, **nothing)
                yield tab
        finally:
            child.kill()
            child.wait()


def _address(folder: Path) -> str:
    """The tab's own address, once the browser has written where it listens."""
    end = time.monotonic() + STARTS_WITHIN_S
    while time.monotonic() < end:
        with suppress(OSError, IndexError, StopIteration):
            port = (folder / "DevToolsActivePort").read_text().split()[0]
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/json", timeout=5) as answer:
                tabs = json.load(answer)
            return str(next(tab["webSocketDebuggerUrl"] for tab in tabs if tab["type"] == "page"))
        time.sleep(0.1)
    raise TimeoutError(f"the browser did not listen within {STARTS_WITHIN_S:.0f} s")
