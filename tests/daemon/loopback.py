"""A server on this machine that stands for the services that messages go to."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Receiver:
    """What it got, and how it answers."""

    port: int = 0
    status: int = 200
    got: list[dict[str, Any]] = field(default_factory=list)
    fetched: list[str] = field(default_factory=list)
    answer: threading.Event = field(default_factory=threading.Event)
    """Not set: it takes the request and says nothing."""

    @property
    def url(self) -> str:
        """As Apprise knows it."""
        return f"json://127.0.0.1:{self.port}/s3cr3t-canary"

    @property
    def ping_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/p1ng-canary"


@contextmanager
def receiver(*, status: int = 200, silent: bool = False) -> Iterator[Receiver]:
    """Listens until the end of the block."""
    here = Receiver(status=status)
    if not silent:
        here.answer.set()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            here.got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self._answer()

        def do_GET(self) -> None:
            here.fetched.append(self.path)
            self._answer()

        def _answer(self) -> None:
            here.answer.wait()
            self.send_response(here.status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    here.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield here
    finally:
        here.answer.set()
        server.shutdown()
        server.server_close()
        thread.join()
