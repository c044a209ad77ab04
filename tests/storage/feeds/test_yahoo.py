"""The real client, in its real child process, against a Yahoo on the loopback."""

import json
import multiprocessing
import resource
import sys
import threading
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import pandas as pd
import pytest

from ensemble.bars import BAR_COLUMNS
from storage.feeds.feed import FeedError, History
from storage.feeds.yahoo import YahooFeed

FIRST, LAST = date(2024, 1, 1), date(2024, 1, 3)
# What Yahoo sends for three sessions of an NSE share: the instants of the opens, 09:15 in Kolkata.
OPENS = [int(datetime(2024, 1, day, 3, 45, tzinfo=UTC).timestamp()) for day in (1, 2, 3, 4)]
QUOTE: dict[str, list[float | None]] = {
    "open": [10.0, 11.0, None, 13.0],
    "high": [10.5, 11.5, None, 13.5],
    "low": [9.5, 10.5, None, 12.5],
    "close": [10.2, 11.2, None, 13.2],
    "volume": [100, 0, None, 300],
}
META = {
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


def chart(result: Mapping[str, object]) -> str:
    return json.dumps({"chart": {"result": [{"meta": META, **result}], "error": None}})


EVENTS = {
    "dividends": {str(OPENS[1]): {"amount": 0.5, "date": OPENS[1]}},
    "splits": {str(OPENS[0]): {"date": OPENS[0], "numerator": 2.0, "denominator": 1.0, "splitRatio": "2:1"}},
}
GOOD = {
    "timestamp": OPENS,
    "events": EVENTS,
    "indicators": {"quote": [QUOTE], "adjclose": [{"adjclose": QUOTE["close"]}]},
}
UNKNOWN = {"code": "Not Found", "description": "No data found, symbol may be delisted"}
ANSWERS = {
    "GOOD.NS": (200, chart(GOOD)),
    "EMPTY.NS": (200, chart({"indicators": {"quote": [{}], "adjclose": [{}]}})),
    "GONE.NS": (404, json.dumps({"chart": {"result": None, "error": UNKNOWN}})),
    "DRUNK.NS": (200, "<html>Will be right back</html>"),
    "REFUSED.NS": (429, "Too Many Requests"),
}


class Yahoo(ThreadingHTTPServer):
    """Answers by symbol; HANG.NS gets none before the test ends."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[str] = []
        self.over = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Yahoo

    def do_GET(self) -> None:
        symbol = urlsplit(self.path).path.rpartition("/")[2]
        self.server.asked.append(self.path)
        if symbol == "HANG.NS":
            self.server.over.wait(60)
            return
        status, body = (200, "crumb") if symbol == "getcrumb" else ANSWERS.get(symbol, (404, ""))
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_request(self, *_: object) -> None:
        pass


@pytest.fixture
def yahoo() -> Iterator[Yahoo]:
    server = Yahoo()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield server
    server.over.set()
    server.shutdown()
    thread.join()
    server.server_close()


def test_each_symbol_gets_its_bars_or_its_own_error(yahoo: Yahoo) -> None:
    symbols = ["EMPTY.NS", "../GOOD", "GONE.NS", "DRUNK.NS", "GOOD.NS", "GOOD.NS"]
    loaded = "yfinance" in sys.modules  # empyrical loads it too, in whichever test comes first
    answers = YahooFeed(timeout_s=60, mirror=yahoo.url).fetch(symbols, first=FIRST, last=LAST)
    assert list(answers) == ["EMPTY.NS", "../GOOD", "GONE.NS", "DRUNK.NS", "GOOD.NS"]
    for symbol in symbols[:4]:
        assert isinstance(answers[symbol], FeedError)
        assert symbol in str(answers[symbol])
        assert "\n" not in str(answers[symbol])
    assert "from 2024-01-01 to 2024-01-03" in str(answers["EMPTY.NS"])
    assert "possibly delisted; no price data found" in str(answers["EMPTY.NS"])
    assert "yahoo knows no GONE.NS (HTTP 404)" in str(answers["GONE.NS"])
    history = answers["GOOD.NS"]
    assert isinstance(history, History)
    bars = history.bars
    assert list(bars.columns) == list(BAR_COLUMNS)
    # The row without a value is none, and the fourth of January is after the last final session.
    assert list(bars.index) == [pd.Timestamp("2024-01-01"), pd.Timestamp("2024-01-02")]
    assert bars.index.name == "session"
    assert bars.iloc[0].tolist() == [10.0, 10.5, 9.5, 10.2, 10.2, 100.0]
    assert history.actions.to_dict("index") == {
        pd.Timestamp("2024-01-01"): {"dividend": 0.0, "split": 2.0},
        pd.Timestamp("2024-01-02"): {"dividend": 0.5, "split": 1.0},
    }
    assert (history.currency, history.zone) == ("INR", "Asia/Kolkata")
    # Asked for: up to the midnight in Kolkata that ends the third of January.
    end = int(datetime(2024, 1, 3, 18, 30, tzinfo=UTC).timestamp())
    assert any("GOOD.NS" in path and f"period2={end}" in path for path in yahoo.asked)
    assert not multiprocessing.active_children()
    assert ("yfinance" in sys.modules) == loaded


def test_after_too_many_requests_nothing_more_is_asked(yahoo: Yahoo) -> None:
    answers = YahooFeed(timeout_s=60, mirror=yahoo.url).fetch(["REFUSED.NS", "GOOD.NS"], first=FIRST, last=LAST)
    for symbol in ("REFUSED.NS", "GOOD.NS"):
        assert "too many requests (HTTP 429); wait" in str(answers[symbol])
    assert not [path for path in yahoo.asked if "GOOD.NS" in path]


def test_a_hang_ends_with_the_time_limit_and_keeps_what_had_come(yahoo: Yahoo) -> None:
    answers = YahooFeed(timeout_s=9, mirror=yahoo.url).fetch(["GOOD.NS", "HANG.NS"], first=FIRST, last=LAST)
    assert isinstance(answers["GOOD.NS"], History)
    assert "feed.timeout_s = 9 s" in str(answers["HANG.NS"])
    assert not multiprocessing.active_children()


def test_a_network_that_is_down_is_one_clear_line() -> None:
    answers = YahooFeed(timeout_s=60, mirror="http://127.0.0.1:9").fetch(["GOOD.NS"], first=FIRST, last=LAST)
    assert isinstance(answers["GOOD.NS"], FeedError)
    assert "check the symbol and the network" in str(answers["GOOD.NS"])


def test_without_a_usable_symbol_no_process_is_started() -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    answers = YahooFeed(timeout_s=60).fetch(["a/b"], first=FIRST, last=LAST)
    assert isinstance(answers["a/b"], FeedError)
    assert YahooFeed(timeout_s=60).fetch([], first=FIRST, last=LAST) == {}
    assert resource.getrusage(resource.RUSAGE_CHILDREN) == before  # a child that was waited for has used something
