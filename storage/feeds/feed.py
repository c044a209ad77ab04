"""What a feed is: whatever gives raw daily bars for symbols."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches
from typing import Any, Protocol

import numpy as np
import pandas as pd

from ensemble.arrays import Floats
from ensemble.bars import BAR_COLUMNS

YAHOO_COLUMNS = ("Open", "High", "Low", "Close", "Adj Close", "Volume")
"""The names that Yahoo's files and answers use, in the order of BAR_COLUMNS."""

ACTION_COLUMNS = ("dividend", "split")
"""What companies do to a share, besides trading."""
YAHOO_ACTIONS = ("Dividends", "Stock Splits")
"""What Yahoo calls them, in the order of ACTION_COLUMNS; it writes 0 where nothing happened."""

# What exchanges use in symbols: M&M.NS, ^NSEI, CL=F, BRK-B. Nothing that a path or a URL could trip over.
_SYMBOL = re.compile(r"[A-Za-z0-9^][A-Za-z0-9^=.&_-]{0,31}")


class FeedError(RuntimeError):
    """A feed has no bars to give: one line that says which, why, and what to do."""


class FeedDown(FeedError):
    """It is the provider that is in trouble, or the way to it, and no fault of the symbol."""


class FeedRefused(FeedDown):
    """The provider asks to be left in peace (HTTP 429)."""

    @classmethod
    def by(cls, provider: str, symbol: str) -> "FeedRefused":
        """What to say of a symbol once the provider has refused."""
        return cls(f"{provider} refused {symbol}: too many requests (HTTP 429); wait an hour and run again.")


@dataclass(frozen=True, slots=True, eq=False)
class History:
    """What a feed says of one symbol, as it came: nothing but the shapes is promised."""

    bars: pd.DataFrame
    """Columns BAR_COLUMNS (float64), index "session" of naive dates, NaT where a date was unreadable: for sift_bars."""
    actions: pd.DataFrame
    """One row a session on which something went ex, index "session" of naive dates, columns ACTION_COLUMNS (float64).

    `dividend`: cash a share in the prices of `bars`, so adjusted for the splits after it as `close` is; 0 where none.
    `split`: new shares for each old one; 1 where none. Empty where nothing happened, or the feed does not say.
    """
    currency: str | None = None
    """Of prices and dividends, as the feed writes it ("INR", and "GBp" for pence); None where it does not say."""
    zone: str | None = None
    """Time zone whose dates the sessions are ("Asia/Kolkata"); None where the feed does not say."""


class Feed(Protocol):
    """A source of raw daily bars."""

    name: str
    on_network: bool
    """A provider that may be in trouble and wants to be asked with moderation; else files, in whoever's name."""

    def fetch(self, symbols: Sequence[str], *, first: date, last: date) -> Mapping[str, History | FeedError]:
        """The history of each symbol from `first` to `last`, both included, or the error that stands for it.

        `last` is the newest session whose bars are final. One bad symbol spoils no other; FeedError is raised only
        when nothing can be asked.
        """
        ...


def check_symbol(symbol: str) -> str:
    """The same symbol. Raises FeedError for one that no exchange uses, `../etc/passwd` among them."""
    if not _SYMBOL.fullmatch(symbol):
        raise FeedError(
            f'symbol was "{symbol}"; it must be 1 to 32 letters, digits and ^ = . & _ - '
            "that begin with a letter, a digit or ^, as Yahoo writes it: RELIANCE.NS, ^NSEI, CL=F."
        )
    return symbol


def did_you_mean(symbol: str, known: Sequence[str]) -> str:
    """A remedy for an unknown symbol: its nearest neighbour, or else a few of those there are."""
    by_upper = {name.upper(): name for name in known}
    near = get_close_matches(symbol.upper(), by_upper, n=1)
    if near:
        return f'did you mean "{by_upper[near[0]]}"?'
    return f"it has {', '.join(sorted(known)[:8]) or 'none at all'}."


def as_history(table: pd.DataFrame, dates: pd.DatetimeIndex, *, first: date, last: date) -> History:
    """What a table in Yahoo's columns says of `first` to `last`: NaN where unreadable; bars without a date stay."""
    sessions = dates.as_unit("us").rename("session")
    outside = (sessions < pd.Timestamp(first)) | (sessions > pd.Timestamp(last))
    bars = pd.DataFrame(
        {name: _numbers(table[yahoo]) for name, yahoo in zip(BAR_COLUMNS, YAHOO_COLUMNS, strict=True)}, index=sessions
    )
    actions = _actions(table, sessions)
    asked = (actions.index >= pd.Timestamp(first)) & (actions.index <= pd.Timestamp(last))
    return History(bars[~outside], actions[asked])


def no_actions() -> pd.DataFrame:
    """The actions of a symbol to which nothing happened."""
    empty = pd.DatetimeIndex([], dtype="datetime64[us]", name="session")
    return pd.DataFrame({name: np.empty(0) for name in ACTION_COLUMNS}, index=empty)


def _actions(table: pd.DataFrame, sessions: pd.DatetimeIndex) -> pd.DataFrame:
    told = {name: yahoo for name, yahoo in zip(ACTION_COLUMNS, YAHOO_ACTIONS, strict=True) if yahoo in table.columns}
    if not told:
        return no_actions()
    frame = pd.DataFrame({name: _numbers(table[yahoo]) for name, yahoo in told.items()}, index=sessions)
    frame = frame.reindex(columns=list(ACTION_COLUMNS)).fillna(0.0).replace({"split": {0.0: 1.0}})
    return frame[(frame["dividend"] != 0.0) | (frame["split"] != 1.0)]


def _numbers(column: "pd.Series[Any]") -> Floats:
    numbers: Floats = pd.to_numeric(column, errors="coerce").to_numpy(dtype="float64", na_value=float("nan"))
    return numbers
