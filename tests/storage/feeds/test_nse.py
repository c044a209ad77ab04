"""The real client of the NSE, in its real child process, against the site on the loopback. The site was never asked."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from urllib.parse import parse_qs, urlsplit

import pytest

from storage.feeds import FeedError, FeedOptions, History, open_check_feed
from storage.feeds.feed import FeedDown, FeedRefused

pytest.importorskip("jugaad_data")

from storage.feeds.nse import NseFeed

FIRST, LAST = date(2024, 1, 1), date(2024, 1, 3)


def row(day: int, close: float, series: str = "EQ") -> dict[str, object]:
    prices = {"CH_OPENING_PRICE": close - 1, "CH_TRADE_HIGH_PRICE": close + 2, "CH_TRADE_LOW_PRICE": close - 2}
    when = {"CH_TIMESTAMP": f"2024-01-{day:02d}", "CH_SERIES": series, "CH_TOT_TRADED_QTY": 1000}
    return {**prices, **when, "CH_CLOSING_PRICE": close}


GOOD = [row(3, 102.0), row(2, 101.0), row(2, 55.0, "BL"), row(1, 100.5)]
ANSWERS: dict[str, tuple[int, bytes]] = {
    "RELIANCE": (200, json.dumps({"data": GOOD}).encode()),
    "M&M": (200, json.dumps({"data": GOOD}).encode()),
    "EMPTY": (200, json.dumps({"data": []}).encode()),
    "HTML": (200, b"<html>Access Denied</html>"),
    "DENIED": (403, b"<html>Access Denied</html>"),
    "REFUSED": (429, b"slow down"),
}


@contextmanager
def site() -> Iterator[tuple[str, list[str]]]:
    """Its address, and the symbols that it is asked for."""
    asked: list[str] = []
    over = Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            (symbol,) = parse_qs(urlsplit(self.path).query).get("symbol", [""])
            asked.append(symbol)
            if symbol == "HANG":
                over.wait(30)
                return
            status, body = ANSWERS.get(symbol, (200, b"<html></html>"))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_request(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    over.set()
    server.shutdown()
    thread.join()
    server.server_close()


def test_each_symbol_gets_its_closes_or_its_own_line() -> None:
    symbols = ["RELIANCE.NS", "EMPTY.NS", "HTML.NS", "DENIED.NS", "HANG.NS", "M&M.NS", "^NSEI", "REFUSED.NS", "LATE.NS"]
    with site() as (url, asked):
        feed = NseFeed(timeout_s=60, request_timeout_s=1.0, mirror=url)
        answers = feed.fetch(symbols, first=FIRST, last=LAST)
        again = feed.fetch(["EMPTY.NS", "RELIANCE.NS"], first=FIRST, last=LAST)
    for symbol in ("RELIANCE.NS", "M&M.NS"):
        answer = answers[symbol]
        assert isinstance(answer, History)
        assert {f"{day:%d}": close for day, close in answer.bars["close"].items()} == {
            "03": 102.0,
            "02": 101.0,
            "01": 100.5,
        }
        assert answer.actions.empty
    lines = {
        "EMPTY.NS": (FeedError, "nse has no bars of EMPTY.NS from 2024-01-01 to 2024-01-03"),
        "HTML.NS": (FeedDown, "nse gave nothing usable for HTML.NS (JSONDecodeError"),
        "DENIED.NS": (FeedDown, "nse gave nothing usable for DENIED.NS (HTTP 403, "),
        "HANG.NS": (FeedDown, "nse gave nothing usable for HANG.NS (ReadTimeout"),
        "^NSEI": (FeedError, "nse has no ^NSEI"),
        "REFUSED.NS": (FeedRefused, "nse refused REFUSED.NS: too many requests"),
        "LATE.NS": (FeedRefused, "nse refused LATE.NS"),
    }
    for symbol, (kind, words) in lines.items():
        assert type(answers[symbol]) is kind, answers[symbol]
        assert words in str(answers[symbol])
        assert "\n" not in str(answers[symbol])
    assert "LATE" not in asked
    # The client's own cache would have answered for ever.
    assert asked.count("RELIANCE") == 2
    assert isinstance(again["RELIANCE.NS"], History)


def test_the_nse_can_check_and_not_provide() -> None:
    feed = open_check_feed(FeedOptions(check_provider="nse"))
    assert feed is not None
    assert feed.name == "nse"
    with pytest.raises(ValueError, match="provider"):
        FeedOptions.model_validate({"provider": "nse"})
