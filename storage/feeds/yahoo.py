"""Bars from Yahoo Finance through yfinance, the only file that imports it.

The client caches answers and errors in its process, may keep "Too Many Requests" as its password, and can
take many times the time-out it was given. So every fetch runs in a child process of its own, which is killed
when its time is up: nothing outlives it, nothing hangs. The child sends each symbol's bars when it has them.
"""

import logging
import multiprocessing
import signal
import tempfile
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from http import HTTPStatus
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

import pandas as pd

from storage.feeds.feed import FeedError, History, as_history, check_symbol

if TYPE_CHECKING:
    from curl_cffi.requests import Session

_REQUEST_TIMEOUT_S = 10.0


class _Order(NamedTuple):
    """What the child is to do."""

    symbols: tuple[str, ...]
    first: date
    last: date
    mirror: str | None
    cache_folder: str


class YahooFeed:
    """Asks Yahoo in a short-lived child process."""

    name = "yahoo"

    def __init__(self, *, timeout_s: float, mirror: str | None = None) -> None:
        """`mirror`: base URL that all requests go to, as BASE/host/path: a cache, or a test's server."""
        self._timeout_s = timeout_s
        self._mirror = mirror

    def fetch(self, symbols: Sequence[str], *, first: date, last: date) -> Mapping[str, History | FeedError]:
        """The history of each symbol, as Feed.fetch says, within timeout_s; an empty answer is an error."""
        answers: dict[str, History | FeedError] = {}
        for symbol in symbols:
            try:
                check_symbol(symbol)
            except FeedError as error:
                answers[symbol] = error
        usable = tuple(dict.fromkeys(symbol for symbol in symbols if symbol not in answers))
        # The parent owns the folder: a child that is killed clears up nothing.
        with tempfile.TemporaryDirectory(prefix="yahoo-feed-", ignore_cleanup_errors=True) as folder:
            answers.update(_ask(_Order(usable, first, last, self._mirror, folder), self._timeout_s))
        return {symbol: answers[symbol] for symbol in symbols}


def _ask(order: _Order, timeout_s: float) -> dict[str, History | FeedError]:
    if not order.symbols:
        return {}
    # Not forked: the daemon has threads, and a fork of a threaded process may deadlock.
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    child = context.Process(target=_download, args=(sender, order), daemon=True, name="yahoo-feed")
    child.start()
    sender.close()
    try:
        answers, reason = _collect(receiver, len(order.symbols), timeout_s)
    finally:
        child.kill()
        child.join()
        receiver.close()
    for symbol in order.symbols:
        answers.setdefault(symbol, FeedError(f"yahoo gave no bars of {symbol}: {reason}"))
    return answers


def _collect(receiver: Connection, count: int, timeout_s: float) -> tuple[dict[str, History | FeedError], str]:
    """What came before the deadline, and why nothing more did."""
    answers: dict[str, History | FeedError] = {}
    deadline = time.monotonic() + timeout_s
    while len(answers) < count:
        if not receiver.poll(max(0.0, deadline - time.monotonic())):
            return answers, f"it took over feed.timeout_s = {timeout_s:g} s; run again, or allow more."
        try:
            symbol, answer = receiver.recv()
        except EOFError:
            return answers, "the process that asked ended early; run again, with --debug if it stays so."
        answers[symbol] = FeedError(answer) if isinstance(answer, str) else answer
    return answers, ""


def _download(sender: Connection, order: _Order) -> None:
    """The child: one (symbol, frame or error text) after the other."""
    # Ctrl-C reaches the whole process group; the parent answers it, and kills this child.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for answer in _answers(order):
        sender.send(answer)
    sender.close()


def _answers(order: _Order) -> Iterator[tuple[str, History | str]]:
    import yfinance

    # Every failure is a value here; the client and its helpers would say it once more on standard error.
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    yfinance.config.debug.hide_exceptions = False
    yfinance.set_tz_cache_location(order.cache_folder)
    session = _mirrored(order.mirror) if order.mirror else None
    refused = False
    for symbol in order.symbols:
        try:
            # Asking on after a 429 only makes the ban longer.
            yield symbol, _too_many(symbol) if refused else _history(symbol, order, session)
        except yfinance.exceptions.YFRateLimitError:
            refused = True
            yield symbol, _too_many(symbol)
        except Exception as error:  # the client lets anything through, and one symbol may spoil no other
            yield symbol, _explain(symbol, order, error)


def _history(symbol: str, order: _Order, session: "Session[Any] | None") -> History:
    import yfinance

    ticker = yfinance.Ticker(symbol, session=session)
    table = ticker.history(
        start=order.first,
        end=order.last + timedelta(days=1),
        interval="1d",
        auto_adjust=False,
        actions=True,
        timeout=_REQUEST_TIMEOUT_S,
    )
    dates = pd.DatetimeIndex(table.index).tz_localize(None).normalize()
    history = as_history(table, dates, first=order.first, last=order.last)
    if history.bars.empty:
        raise ValueError("the answer was empty")
    meta = ticker.get_history_metadata()
    return replace(history, currency=meta["currency"], zone=meta["exchangeTimezoneName"])


def _too_many(symbol: str) -> str:
    return f"yahoo refused {symbol}: too many requests (HTTP 429); wait an hour and run again."


def _explain(symbol: str, order: _Order, error: Exception) -> str:
    if getattr(getattr(error, "response", None), "status_code", None) == HTTPStatus.NOT_FOUND:
        return f"yahoo knows no {symbol} (HTTP 404); check its spelling, or drop it: it may be delisted."
    reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
    return (
        f"yahoo has no bars of {symbol} from {order.first} to {order.last} ({reason}); "
        "check the symbol and the network."
    )


def _mirrored(base: str) -> "Session[Any]":
    from curl_cffi import requests

    class MirroredSession(requests.Session[Any]):
        """The client's own session, sent to another address."""

        def request(self, method: Any, url: str, *args: Any, **kwargs: Any) -> Any:
            parts = urlsplit(url)
            return super().request(method, f"{base}/{parts.netloc}{parts.path}?{parts.query}", *args, **kwargs)

    return MirroredSession()
