"""Bars from Yahoo Finance through yfinance, the only file that imports it.

The client caches answers and errors in its process, may keep "Too Many Requests" as its password, hides failures as
an empty frame, and can take many times the time-out it was given. So every fetch runs in a child process of its own
(child.py), through a session that bounds what comes (yahoo_session.py), and every answer is looked at again here.
"""

import json
import warnings
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import replace
from datetime import date, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from storage.feeds.child import Answer, Order, Terms, fetch_in_child
from storage.feeds.feed import YAHOO_COLUMNS, FeedDown, FeedError, FeedRefused, History, as_history

if TYPE_CHECKING:
    from storage.feeds.yahoo_session import YahooSession


MOST_DOWNS = 3
_PRICES = ("Open", "High", "Low", "Close")


class _Unusable(ValueError):
    """An answer that is sound and of no use for the symbol."""


class YahooFeed:
    """Asks Yahoo in a short-lived child process."""

    name = "yahoo"
    on_network = True

    def __init__(
        self, *, timeout_s: float, at_once: int = 4, request_timeout_s: float = 10.0, mirror: str | None = None
    ) -> None:
        """`at_once`: symbols asked at the same time. `mirror`: base URL that all requests go to, a cache or a test."""
        self._timeout_s = timeout_s
        self._terms = Terms(at_once, request_timeout_s, mirror)
        self._zones: dict[str, str] = {}

    def fetch(self, symbols: Sequence[str], *, first: date, last: date) -> Mapping[str, History | FeedError]:
        """The history of each symbol, as Feed.fetch says, within timeout_s; an empty answer is an error.

        A symbol is one request, and one more the first time, which asks for its time zone.
        """
        zones = tuple((symbol, self._zones[symbol]) for symbol in symbols if symbol in self._zones)
        order = Order(tuple(symbols), first, last, self._terms, zones)
        answers = fetch_in_child(ask_yahoo, order, provider=self.name, timeout_s=self._timeout_s)
        for symbol, answer in answers.items():
            if isinstance(answer, History) and answer.zone is not None:
                self._zones[symbol] = answer.zone
        return answers


def ask_yahoo(order: Order) -> Iterator[Answer]:
    """The answers as they come: the first symbol alone, to see whether Yahoo will talk, then `at_once` at a time."""
    import yfinance

    from storage.feeds.yahoo_session import YahooSession

    warnings.simplefilter("ignore")  # the client has set its own filters
    yfinance.config.debug.hide_exceptions = False
    yfinance.set_tz_cache_location(order.folder)
    for symbol, zone in order.zones:
        yfinance.cache.get_tz_cache().store(symbol.upper(), zone)
    client = _Client(order, YahooSession(order.terms))
    yield client.answer(order.symbols[0])
    with ThreadPoolExecutor(order.terms.at_once) as pool:
        # Nothing but the set refers to an answer once it was given away.
        under_way = {pool.submit(client.answer, symbol) for symbol in order.symbols[1:]}
        for done in as_completed(under_way):
            under_way.discard(done)
            yield done.result()


class _Client:
    """Asks for symbols until Yahoo has refused once, or was down MOST_DOWNS times in a row; in any thread."""

    def __init__(self, order: Order, session: "YahooSession") -> None:
        self._order = order
        self._session = session
        self._refused = False
        self._downs = 0

    def answer(self, symbol: str) -> Answer:
        # Asking on after a 429 only makes the ban longer, and a network that is down costs a time-out a symbol.
        if self._refused:
            return symbol, FeedRefused.by("yahoo", symbol)
        if self._downs >= MOST_DOWNS:
            return symbol, FeedDown(f"yahoo was not asked for {symbol}: it failed {self._downs} times in a row.")
        answer = self._asked(symbol)
        if isinstance(answer, FeedRefused):
            self._refused = True
        self._downs = self._downs + 1 if isinstance(answer, FeedDown) else 0
        return symbol, answer

    def _asked(self, symbol: str) -> History | FeedError:
        import yfinance

        try:
            return _history(symbol, self._order, self._session)
        except yfinance.exceptions.YFRateLimitError:
            return FeedRefused.by("yahoo", symbol)
        except Exception as error:  # the client lets anything through, and one symbol may spoil no other
            return _explain(symbol, self._order, error, _status(self._session))


def _history(symbol: str, order: Order, session: "YahooSession") -> History:
    import yfinance

    ticker = yfinance.Ticker(symbol, session=session)
    table = ticker.history(
        start=order.first, end=order.last + timedelta(days=1), interval="1d", auto_adjust=False, actions=True
    )
    meta = ticker.get_history_metadata()
    if str(meta.get("symbol", symbol)).upper() != symbol.upper():
        raise _Unusable(f"the answer was about {meta['symbol']}")
    rows = _chart_rows(session.chart.content, str(meta["exchangeTimezoneName"]))
    table = pd.concat([_settled(table, rows), _second_versions(rows)])
    dates = pd.DatetimeIndex(table.index).tz_localize(None).normalize()
    history = as_history(table, dates, first=order.first, last=order.last)
    if history.bars.empty:
        raise _Unusable("the answer was empty")
    return replace(history, currency=str(meta["currency"]), zone=str(meta["exchangeTimezoneName"]))


def _chart_rows(body: bytes, zone: str) -> pd.DataFrame:
    """The bars of an answer by their dates, in its order; null ones and equal copies are left out."""
    (chart,) = json.loads(body)["chart"]["result"]
    (quote,) = chart["indicators"]["quote"]
    (adjusted,) = chart["indicators"].get("adjclose") or [{"adjclose": quote["close"]}]
    told = {name: quote[name.lower()] for name in YAHOO_COLUMNS if name != "Adj Close"}
    dates = pd.to_datetime(chart["timestamp"], unit="s", utc=True).tz_convert(zone).normalize()
    rows = pd.DataFrame(told | {"Adj Close": adjusted["adjclose"]}, index=dates, dtype="float64").dropna(subset="Close")
    told_once: pd.DataFrame = rows[~rows.reset_index().duplicated().to_numpy()]
    return told_once


def _settled(table: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """The client's table, its newest bar as it was settled.

    Yahoo may give the newest date twice, with the price of now, and the client takes the newer. In a session the two
    differ, and nobody keeps them yet; once it is over they agree but for a little volume. Where they differ then, a
    future's next session has begun on the same date. One that comes alone can't be told apart.
    """
    newest = rows[rows.index == rows.index.max()]
    prices = newest[list(_PRICES)].to_numpy()
    if len(newest) < 2 or np.allclose(prices[0], prices[-1], rtol=1e-6, atol=0.0, equal_nan=True):
        return table
    settled = table.copy()
    settled.loc[pd.DatetimeIndex(settled.index).normalize() == newest.index[0], newest.columns] = newest.iloc[
        0
    ].to_numpy()
    return settled


def _second_versions(rows: pd.DataFrame) -> pd.DataFrame:
    """Other bars of older dates that come twice, of which the client keeps the first in silence.

    With both, sift_bars refuses that date.
    """
    others: pd.DataFrame = rows[rows.index.duplicated() & (rows.index != rows.index.max())]
    return others


def _status(session: "YahooSession") -> int | None:
    return None if session.chart is None else int(session.chart.status_code)


def _explain(symbol: str, order: Order, error: Exception, status: int | None) -> FeedError:
    import yfinance

    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return FeedRefused.by("yahoo", symbol)
    if status == HTTPStatus.NOT_FOUND:
        return FeedError(f"yahoo knows no {symbol} (HTTP 404); check its spelling, or drop it: it may be delisted.")
    told = str(error).partition(" See https://curl.se")[0]
    reason = " ".join(f"{type(error).__name__}: {told}".split())[:200]
    if status == HTTPStatus.OK and isinstance(error, _Unusable | yfinance.exceptions.YFTickerMissingError):
        return FeedError(
            f"yahoo has no bars of {symbol} from {order.first} to {order.last} ({reason}); check the symbol."
        )
    code = "" if status in (None, HTTPStatus.OK) else f"HTTP {status}, "
    return FeedDown(f"yahoo gave nothing usable for {symbol} ({code}{reason}); check the network, or wait for Yahoo.")
