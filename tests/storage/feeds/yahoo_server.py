"""An imitation of Yahoo on the loopback: the charts of any symbol, and each way in which Yahoo is known to fail."""

import json
import threading
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

# What Yahoo sends for four sessions of an NSE share: the instants of the opens, 09:15 in Kolkata.
OPENS = [int(datetime(2024, 1, day, 3, 45, tzinfo=UTC).timestamp()) for day in (1, 2, 3, 4)]
CLOSES = [10.2, 11.2, 12.2, 13.2]

Reply = Callable[["Handler"], None]


def chart(symbol: str, *, meta: Mapping[str, object] | None = None, **result: object) -> bytes:
    """A good answer for `symbol`, or one with other parts."""
    quote = quotes(CLOSES)
    good = {"timestamp": OPENS, "indicators": {"quote": [quote], "adjclose": [{"adjclose": quote["close"]}]}}
    told = {**_META, "symbol": symbol, **(meta or {})}
    return json.dumps({"chart": {"result": [{"meta": told, **good, **result}], "error": None}}).encode()


def quotes(closes: Sequence[float | None]) -> dict[str, list[float | None]]:
    """Bars around these closes, null where there is none."""
    shifts = {"open": -0.2, "high": 0.3, "low": -0.7, "close": 0.0}
    columns: dict[str, list[float | None]] = {
        name: [None if close is None else round(close + shift, 2) for close in closes] for name, shift in shifts.items()
    }
    return columns | {"volume": [None if close is None else 100 for close in closes]}


def series(opens: Sequence[int], closes: Sequence[float | None]) -> dict[str, Any]:
    """The parts of a chart that hold these bars."""
    return {"timestamp": opens, "indicators": {"quote": [quotes(closes)], "adjclose": [{"adjclose": closes}]}}


_META = {
    "currency": "INR",
    "instrumentType": "EQUITY",
    "exchangeTimezoneName": "Asia/Kolkata",
    "timezone": "IST",
    "gmtoffset": 19800,
    "priceHint": 2,
    "dataGranularity": "1d",
    "validRanges": ["1d", "max"],
    "currentTradingPeriod": {
        name: {"timezone": "IST", "start": OPENS[0], "end": OPENS[0] + 22500, "gmtoffset": 19800}
        for name in ("pre", "regular", "post")
    },
}


class Handler(BaseHTTPRequestHandler):
    """One request."""

    server: "Yahoo"

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        place = urlsplit(self.path).path
        symbol = place.rpartition("/")[2]
        reply = says(b"", 404)
        if place.endswith("/getcrumb"):
            reply = self.server.crumb
        elif "/chart/" in place:
            waiting = self.server.faults[symbol]
            reply = waiting.pop(0) if waiting else self.server.always.get(symbol, says(chart(symbol)))
        with suppress(OSError):  # the client has gone, as it may
            reply(self)

    def log_request(self, *_: object) -> None:
        pass


class Yahoo(ThreadingHTTPServer):
    """Answers each symbol with its chart, unless told otherwise."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[str] = []
        self.faults: defaultdict[str, list[Reply]] = defaultdict(list)
        """What the next requests for a symbol get, each once."""
        self.always: dict[str, Reply] = {}
        """What all later ones get."""
        self.crumb = says(b"crumb")
        self.over = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def asked_for(self, symbol: str) -> int:
        """Requests for the chart of `symbol`."""
        return sum(f"/chart/{symbol}?" in path for path in self.asked)


@contextmanager
def yahoo_server() -> Iterator[Yahoo]:
    """Listens until the end of the block."""
    server = Yahoo()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.over.set()
        server.shutdown()
        thread.join()
        server.server_close()


def says(body: bytes, status: int = 200, headers: Mapping[str, str] | None = None) -> Reply:
    """An ordinary answer."""

    def reply(handler: Handler) -> None:
        _begin(handler, status, len(body), headers or {})
        handler.wfile.write(body)

    return reply


def hangs(handler: Handler) -> None:
    """No answer before the end of the test."""
    handler.server.over.wait(60)


def drips(handler: Handler) -> None:
    """One byte a second, of an answer that never ends."""
    _begin(handler, 200, 1 << 20, {})
    while not handler.server.over.wait(1):
        handler.wfile.write(b" ")


def cut_off(handler: Handler) -> None:
    """The connection ends in the middle of the answer."""
    _begin(handler, 200, 1000, {})
    handler.wfile.write(b'{"chart": ')


def floods(n_bytes: int) -> Reply:
    """A long answer of nothing."""

    def reply(handler: Handler) -> None:
        _begin(handler, 200, n_bytes, {})
        for _ in range(n_bytes >> 20):
            handler.wfile.write(b" " * (1 << 20))

    return reply


def bomb(n_bytes: int) -> Reply:
    """A short answer that is a long one once it is unpacked."""
    packer = zlib.compressobj(wbits=31)
    packed = b"".join(packer.compress(b" " * (1 << 20)) for _ in range(n_bytes >> 20)) + packer.flush()
    return says(packed, headers={"Content-Encoding": "gzip"})


def _begin(handler: Handler, status: int, n_bytes: int, headers: Mapping[str, str]) -> None:
    handler.send_response(status)
    for name, value in {"Content-Length": str(n_bytes), **headers}.items():
        handler.send_header(name, value)
    handler.end_headers()
