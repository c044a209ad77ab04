"""Looks at a folder of bars as the daemon would, and compares with a list of what is wrong there, where it has one."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path

import pandas as pd

from daemon.config.settings import Settings
from daemon.errors import DaemonError
from daemon.services import context_symbols
from ensemble.sessions import load_calendar
from ensemble.validation.asset_class import AssetClass, asset_class, likely_exchange
from ensemble.validation.findings import Days, Finding, examine
from ensemble.validation.neighbours import beside_others
from ensemble.validation.rules import Series
from ensemble.validation.scorecard import Score, score
from storage.feeds import FeedError
from storage.feeds.files import FilesFeed

LIST_OF_ANOMALIES = "ANOMALIES.csv"
_EVER = date(1900, 1, 1)


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found in a folder, by symbol."""

    bars: Mapping[str, int]
    kept: Mapping[str, int]
    findings: Mapping[str, list[Finding]]
    scores: list[Score]
    """Of the symbols that the folder's list names; empty without a list."""
    unlisted: Mapping[str, list[Finding]]
    """Findings of those symbols that the list does not name."""


def check_folder(folder: Path, settings: Settings, *, today: date) -> Checked:
    """Every file of the folder from its first row, by the rules and calendars in force. Raises DaemonError."""
    if not folder.is_dir():
        raise DaemonError(f"{folder} is no folder; give one that holds SYMBOL.csv files in Yahoo's columns.")
    symbols = sorted(path.stem for path in folder.iterdir() if _is_series(path))
    exchanges = {symbol: exchange for symbol in symbols if (exchange := _exchange(symbol, settings)) is not None}
    bars, kept, found, days = {}, {}, {}, {}
    for symbol, answer in FilesFeed(folder).fetch(symbols, first=_EVER, last=today).items():
        if isinstance(answer, FeedError):
            raise DaemonError(str(answer))
        expected = _days(exchanges.get(symbol), settings, today)
        complete = _is_complete(symbol, settings)
        series = Series(symbol, complete, expected.sessions if expected.certain else None)
        sifted, found[symbol] = examine(answer.bars, series, expected, rules=settings.bars)
        bars[symbol], kept[symbol] = len(answer.bars), len(sifted.kept)
        days[symbol] = pd.DatetimeIndex(answer.bars.index.dropna().unique()).sort_values()
    findings = beside_others(found, days, exchanges, frozenset({settings.market.exchange}))
    return Checked(bars, kept, findings, *_compared(folder / LIST_OF_ANOMALIES, findings))


def _compared(path: Path, findings: Mapping[str, list[Finding]]) -> tuple[list[Score], dict[str, list[Finding]]]:
    if not path.is_file():
        return [], {}
    listed = pd.read_csv(path, parse_dates=["Date"])
    named = set(listed["Symbol"])
    compared = {symbol: score(own, listed, symbol) for symbol, own in findings.items() if symbol in named}
    return [one for scores, _ in compared.values() for one in scores], {
        symbol: unlisted for symbol, (_, unlisted) in compared.items()
    }


def _is_series(path: Path) -> bool:
    return path.suffix in (".csv", ".parquet") and path.name != LIST_OF_ANOMALIES


def _exchange(symbol: str, settings: Settings) -> str | None:
    market = settings.market
    if symbol in (*market.symbols, *market.peers):
        return market.exchange
    return context_symbols(market.context).get(symbol) or likely_exchange(symbol)


def _is_complete(symbol: str, settings: Settings) -> bool:
    """Whether it is traded, or could be: a share that is no context."""
    known = symbol in context_symbols(settings.market.context)
    return not known and asset_class(symbol) is AssetClass.EQUITY


def _days(exchange: str | None, settings: Settings, today: date) -> Days:
    if exchange is None:
        return Days(None)
    sessions = _sessions(exchange, today)
    return Days(sessions, certain=exchange == settings.market.exchange, holidays=exchange != "FOREX")


@cache
def _sessions(exchange: str, today: date) -> pd.DatetimeIndex:
    return load_calendar(exchange, first=date(1990, 1, 1), last=today).sessions
