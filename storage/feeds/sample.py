"""Real daily bars without a network: the examples that come inside the PyPI package `arch`.

Kevin Sheppard's `arch` (https://github.com/bashtage/arch) is under the University of Illinois/NCSA Open
Source License, which lets its files be used and passed on with its notice; the notice comes with the
installed package. It is found but never imported: that would take 1.5 s. What it holds:

| symbol     | what                                              | bars        | range                    |
|------------|---------------------------------------------------|-------------|--------------------------|
| ^GSPC      | S&P 500                                           | all columns | 1999-01-04 to 2018-12-31 |
| ^IXIC      | NASDAQ Composite, two days without volume         | all columns | 1999-01-04 to 2018-12-31 |
| ^VIX       | CBOE volatility index                             | close only  | 2014-01-03 to 2019-01-03 |
| DCOILWTICO | WTI spot at Cushing, published by FRED days later | close only  | 1986-01-02 to 2019-01-03 |
"""

from collections.abc import Mapping, Sequence
from datetime import date
from importlib.util import find_spec
from pathlib import Path

import pandas as pd

from storage.feeds.feed import YAHOO_COLUMNS, FeedError, History, as_history, did_you_mean

_FILES = {"^GSPC": "sp500", "^IXIC": "nasdaq", "^VIX": "vix", "DCOILWTICO": "wti"}
SAMPLE_SYMBOLS = tuple(_FILES)


class SampleFeed:
    """Reads the data files of the installed package `arch`."""

    name = "sample"
    on_network = False

    def fetch(self, symbols: Sequence[str], *, first: date, last: date) -> Mapping[str, History | FeedError]:
        """The history of each symbol, as Feed.fetch says. Raises FeedError when `arch` is not installed."""
        folder = _data_folder()
        return {symbol: _read(folder, symbol, first, last) for symbol in symbols}


def _data_folder() -> Path:
    spec = find_spec("arch")
    if spec is None or not spec.submodule_search_locations:
        raise FeedError('feed.provider was "sample", but the package arch is missing; run pip install arch.')
    return Path(spec.submodule_search_locations[0]) / "data"


def _read(folder: Path, symbol: str, first: date, last: date) -> History | FeedError:
    if symbol not in _FILES:
        return FeedError(f'the sample has no "{symbol}"; {did_you_mean(symbol, SAMPLE_SYMBOLS)}')
    path = folder / _FILES[symbol] / f"{_FILES[symbol]}.csv.gz"
    try:
        table = pd.read_csv(path)
    except (ValueError, OSError) as error:
        return FeedError(f"{path} could not be read: {error}; install the package arch again.")
    dates = pd.to_datetime(table["Date"], format="%m/%d/%Y")
    if "Close" not in table.columns:
        # FRED writes a row for every weekday, empty on holidays.
        closes = pd.to_numeric(table.iloc[:, 1], errors="coerce").dropna()
        dates = dates[closes.index]
        table = pd.DataFrame({"Close": closes, "Adj Close": closes}).reindex(columns=list(YAHOO_COLUMNS))
    return as_history(table, pd.DatetimeIndex(dates), first=first, last=last)
