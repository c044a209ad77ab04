"""Closes from the NSE's own site through jugaad-data, the only file that imports it: to check another provider by.

The site gives prices as they were quoted, adjusted for nothing, and no events: enough to compare the last sessions
with, and no series that returns could be taken from, so it can be feed.check_provider and never feed.provider. The
client keeps every answer on disk for ever, an unfinished day's too, and waits for ever: hence the child process.
"""

import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from functools import partial
from http import HTTPStatus
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pandas as pd

from storage.feeds.child import Answer, Order, Terms, fetch_in_child
from storage.feeds.feed import YAHOO_COLUMNS, FeedDown, FeedError, FeedRefused, History, as_history

if TYPE_CHECKING:
    from jugaad_data.nse import NSEHistory

SUFFIX = ".NS"
_COLUMNS = {
    "CH_OPENING_PRICE": "Open",
    "CH_TRADE_HIGH_PRICE": "High",
    "CH_TRADE_LOW_PRICE": "Low",
    "CH_CLOSING_PRICE": "Close",
    "CH_TOT_TRADED_QTY": "Volume",
}


class NseFeed:
    """Asks the NSE in a short-lived child process. Raises FeedError where jugaad-data is not installed."""

    name = "nse"
    on_network = True

    def __init__(self, *, timeout_s: float, request_timeout_s: float = 10.0, mirror: str | None = None) -> None:
        """`mirror`: base URL that stands for the site's, for tests."""
        if find_spec("jugaad_data") is None:
            raise FeedError(
                'feed.check_provider was "nse", but the package jugaad-data is missing; '
                "run pip install 'reliance-daemon[nse]'."
            )
        self._timeout_s = timeout_s
        self._terms = Terms(1, request_timeout_s, mirror)

    def fetch(self, symbols: Sequence[str], *, first: date, last: date) -> Mapping[str, History | FeedError]:
        """The history of each symbol, as Feed.fetch says; prices adjusted for nothing."""
        order = Order(tuple(symbols), first, last, self._terms)
        return fetch_in_child(ask_nse, order, provider=self.name, timeout_s=self._timeout_s)


def ask_nse(order: Order) -> Iterator[Answer]:
    """One symbol after the other; after a 429 nothing more is asked."""
    os.environ["J_CACHE_DIR"] = order.folder
    from jugaad_data.nse import NSEHistory

    warnings.simplefilter("ignore")
    client = NSEHistory()
    client.workers = 1
    client.s.request = partial(client.s.request, timeout=order.terms.request_timeout_s)
    if order.terms.mirror is not None:
        client.base_url = order.terms.mirror
    refused = False
    for symbol in order.symbols:
        answer = FeedRefused.by("nse", symbol) if refused else _answer(client, symbol, order)
        refused = isinstance(answer, FeedRefused)
        yield symbol, answer


def _answer(client: "NSEHistory", symbol: str, order: Order) -> History | FeedError:
    if not symbol.endswith(SUFFIX):
        return FeedError(f"nse has no {symbol}: it knows shares of the NSE alone, as RELIANCE.NS.")
    client.r = None
    try:
        rows = client.stock_raw(symbol.removesuffix(SUFFIX), order.first, order.last)
    except Exception as error:  # whatever requests, json and the client let through
        status = None if client.r is None else client.r.status_code
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            return FeedRefused.by("nse", symbol)
        code = "" if status in (None, HTTPStatus.OK) else f"HTTP {status}, "
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        return FeedDown(
            f"nse gave nothing usable for {symbol} ({code}{reason}); check the network, or wait for the NSE."
        )
    # Asked for the series EQ, the site sends all series of the symbol.
    table = pd.DataFrame([row for row in rows if row.get("CH_SERIES") == "EQ"])
    if table.empty:
        return FeedError(f"nse has no bars of {symbol} from {order.first} to {order.last}; check the symbol.")
    dates = pd.DatetimeIndex(pd.to_datetime(table["CH_TIMESTAMP"].astype(str), format="%Y-%m-%d", errors="coerce"))
    table = table.rename(columns=_COLUMNS).reindex(columns=list(YAHOO_COLUMNS))
    return as_history(table, dates, first=order.first, last=order.last)
