"""Bars as the files that the feed "files" reads."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from ensemble.bars import BAR_COLUMNS
from storage.feeds.feed import YAHOO_COLUMNS, check_symbol


def write_bar_files(folder: Path, bars: Mapping[str, pd.DataFrame]) -> None:
    """One SYMBOL.csv a bars frame into `folder`, which is made. Raises FeedError for a symbol that no file can bear."""
    folder.mkdir(parents=True, exist_ok=True)
    for symbol, frame in bars.items():
        table = frame.rename(columns=dict(zip(BAR_COLUMNS, YAHOO_COLUMNS, strict=True)))
        table.to_csv(folder / f"{check_symbol(symbol)}.csv", index_label="Date", date_format="%Y-%m-%d")
