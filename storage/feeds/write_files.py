"""Bars as the files that the feed "files" reads."""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import pandas as pd

from ensemble.bars import BAR_COLUMNS
from storage.durable import replace_durably
from storage.feeds.feed import YAHOO_COLUMNS, check_symbol

Form = Literal["csv", "parquet"]


def write_bar_files(folder: Path, bars: Mapping[str, pd.DataFrame]) -> None:
    """One SYMBOL.csv a bars frame into `folder`, which is made. Raises FeedError for a symbol that no file can bear."""
    for symbol, frame in bars.items():
        write_bar_file(folder, symbol, frame)


def write_bar_file(folder: Path, symbol: str, bars: pd.DataFrame, *, form: Form = "csv") -> None:
    """SYMBOL.csv or SYMBOL.parquet into `folder`, which is made: whole, or as it was. Raises as `write_bar_files`."""
    table = bars.rename(columns=dict(zip(BAR_COLUMNS, YAHOO_COLUMNS, strict=True))).rename_axis("Date")
    if form == "csv":
        content = table.to_csv(date_format="%Y-%m-%d").encode()
    else:
        buffer = io.BytesIO()
        table.reset_index().to_parquet(buffer, index=False)
        content = buffer.getvalue()
    name = f"{check_symbol(symbol)}.{form}"
    replace_durably(folder / name, content, draft=folder / f".{name}.draft")
