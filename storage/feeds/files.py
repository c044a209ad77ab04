"""Bars from a folder: one SYMBOL.csv or SYMBOL.parquet a symbol, in Yahoo's schema.

Columns Date, Open, High, Low, Close, Adj Close, Volume, and where they are known Dividends and Stock Splits. Date is
the exchange's own date, ISO; a time and an offset behind it are ignored. What is no number or no date reaches
sift_bars as NaN or NaT.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from io import StringIO
from pathlib import Path

import pandas as pd
from pydantic import Field

from ensemble.options import Options
from storage.feeds.feed import YAHOO_COLUMNS, FeedError, History, as_history, check_symbol, did_you_mean

_SUFFIXES = (".csv", ".parquet")


class FilesOptions(Options):
    """The table [feed.files] of the configuration."""

    path: Path | None = Field(
        default=None,
        description="folder with one SYMBOL.csv or SYMBOL.parquet a symbol, in Yahoo's columns",
    )


class FilesFeed:
    """Reads a folder; asks nobody."""

    on_network = False

    def __init__(self, folder: Path, *, name: str = "files") -> None:
        """`name`: whose bars they are, where another provider's were written down."""
        self.name = name
        self._folder = folder

    def fetch(self, symbols: Sequence[str], *, first: date, last: date) -> Mapping[str, History | FeedError]:
        """The history of each symbol, as Feed.fetch says. Raises FeedError when the folder is not there."""
        if not self._folder.is_dir():
            raise FeedError(
                f"feed.files.path was {self._folder}, which is no folder; make it, or set it to where the bars lie."
            )
        return {symbol: self._read(symbol, first, last) for symbol in symbols}

    def _read(self, symbol: str, first: date, last: date) -> History | FeedError:
        try:
            path = self._find(check_symbol(symbol))
            table = _table(path, first)
            dates = _dates(table, path)
            return as_history(table, dates, first=first, last=last)
        except FeedError as error:
            return error

    def _find(self, symbol: str) -> Path:
        for suffix in _SUFFIXES:
            path = self._folder / f"{symbol}{suffix}"
            if path.is_file():
                return path
        known = [path.stem for path in self._folder.iterdir() if path.suffix in _SUFFIXES]
        raise FeedError(f"{self._folder} holds no file {symbol}.csv or {symbol}.parquet; {did_you_mean(symbol, known)}")


def _table(path: Path, first: date) -> pd.DataFrame:
    try:
        if path.suffix == ".csv":
            table = pd.read_csv(_lines_from(path, first), dtype={"Date": str}, low_memory=False)
        else:
            table = pd.read_parquet(path)
    except (ValueError, OSError) as error:
        # pandas and pyarrow derive their parse errors from ValueError.
        reason = " ".join(str(error).split())[:200]
        raise FeedError(f"{path} could not be read: {reason}; write it again or remove it.") from error
    if "Date" not in table.columns:
        table = table.reset_index()
    missing = [name for name in ("Date", *YAHOO_COLUMNS) if name not in table.columns]
    if missing:
        raise FeedError(f"{path} lacks the columns {missing}; it must have Date and {list(YAHOO_COLUMNS)}.")
    return table


def _lines_from(path: Path, first: date) -> StringIO:
    """The file without the rows before `first`, which is most of it on most days: parsing them would take the time.

    ISO dates sort as text; a row that begins with anything else stays, and so does everything where Date is not first.
    """
    header, *rows = path.read_text(encoding="utf-8").splitlines(keepends=True) or [""]
    if header.startswith("Date,"):
        start = first.isoformat()
        rows = [row for row in rows if row[:10] >= start or not row[:4].isdigit()]
    return StringIO(header + "".join(rows))


def _dates(table: pd.DataFrame, path: Path) -> pd.DatetimeIndex:
    # Ten characters hold the date on the exchange's own wall, whatever time and offset follow.
    texts = table["Date"].astype(str).str[:10]
    dates = pd.DatetimeIndex(pd.to_datetime(texts, format="%Y-%m-%d", errors="coerce"))
    if len(dates) and dates.isna().all():
        raise FeedError(f'{path} has no readable Date, the first is "{texts.iloc[0]}"; write them as 2021-12-31.')
    return dates
