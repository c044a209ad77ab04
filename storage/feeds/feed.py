"""What a feed is: whatever gives raw daily bars for symbols."""

import re
from collections.abc import Mapping, Sequence
from datetime import date
from difflib import get_close_matches
from typing import Protocol

import pandas as pd

from ensemble.bars import BAR_COLUMNS

YAHOO_COLUMNS = ("Open", "High", "Low", "Close", "Adj Close", "Volume")
"""The names that Yahoo's files and answers use, in the order of BAR_COLUMNS."""

# What exchanges use in symbols: M&M.NS, ^NSEI, CL=F, BRK-B. Nothing that a path or a URL could trip over.
_SYMBOL = re.compile(r"[A-Za-z0-9^][A-Za-z0-9^=.&_-]{0,31}")


class FeedError(RuntimeError):
    """A feed has no bars to give: one line that says which, why, and what to do."""


class Feed(Protocol):
    """A source of raw daily bars."""

    name: str

    def fetch(self, symbols: Sequence[str], *, first: date, last: date) -> Mapping[str, pd.DataFrame | FeedError]:
        """Raw bars of each symbol from `first` to `last`, both included, or the error that stands for them.

        Frames have the columns BAR_COLUMNS (float64) and an index "session" of naive dates, NaT where a date
        was unreadable; nothing else is promised, sift_bars is for that. `last` is the newest session whose
        bars are final. One bad symbol spoils no other; FeedError is raised only when nothing can be asked.
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


def as_bars(table: pd.DataFrame, dates: pd.DatetimeIndex, *, first: date, last: date) -> pd.DataFrame:
    """Raw bars of a table in Yahoo's columns: NaN where unreadable; rows of first to last, and of NaT."""
    columns = {
        name: pd.to_numeric(table[yahoo], errors="coerce").to_numpy(dtype="float64", na_value=float("nan"))
        for name, yahoo in zip(BAR_COLUMNS, YAHOO_COLUMNS, strict=True)
    }
    sessions = dates.as_unit("us").rename("session")
    outside = (sessions < pd.Timestamp(first)) | (sessions > pd.Timestamp(last))
    return pd.DataFrame(columns, index=sessions)[~outside]
