"""Whole histories, a symbol at a time and each in a transaction of its own: what is interrupted goes on where it was.

Memory is that of one symbol, however many there are.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from daemon.bars.ingest import ingest
from daemon.config.settings import MarketOptions
from daemon.errors import DaemonError
from daemon.services import Services, context_symbols, require_listed
from daemon.sessions.desk import home_calendar
from ensemble.counted import counted
from storage.bar_store import newest_sessions
from storage.engine import reading, transaction
from storage.feeds import FeedError
from storage.feeds.files import FilesFeed
from storage.history_store import read_histories, write_history


@dataclass(frozen=True, slots=True)
class Filled:
    """What came of one symbol."""

    symbol: str
    added: int = 0
    refused: int = 0
    failure: str = ""
    """Why its history was not read; empty where it was."""


@dataclass(frozen=True, slots=True)
class Backfill:
    """What a backfill has done."""

    filled: tuple[Filled, ...]
    had_bars: tuple[str, ...]
    """Symbols that were left alone, because their history had been read before."""

    @property
    def failed(self) -> tuple[Filled, ...]:
        """Those that were not read."""
        return tuple(one for one in self.filled if one.failure)

    def line(self) -> str:
        """As in "12 symbols: 60,120 bars new, 3 refused; 2 had bars already; 1 failed"."""
        added, refused = sum(one.added for one in self.filled), sum(one.refused for one in self.filled)
        symbols = counted(len(self.filled) - len(self.failed), "symbol")
        done = f"{symbols}: {counted(added, 'bar', ',')} new, {refused:,} refused"
        had = f"; {len(self.had_bars)} had bars already" if self.had_bars else ""
        return done + had + (f"; {len(self.failed)} failed" if self.failed else "")


def backfill(services: Services, symbols: Sequence[str] = ()) -> Backfill:
    """Reads the whole history of those of `symbols`, by default of all that are configured, of which it was not read.

    So one that has bars gets what is older than these once market.history_start moves back, and the actions of all
    times. One that fails is told at the end and stops no other. Raises DaemonError for one that is not configured,
    StoreError.
    """
    wanted, begin = _wanted(services, symbols), services.settings.market.history_start
    with reading(services.engine) as conn:
        read = {symbol for symbol, first in read_histories(conn).items() if first <= begin}
    return _backfilled(services, wanted, read)


def import_bars(services: Services, folder: Path, symbols: Sequence[str] = ()) -> Backfill:
    """The same from a folder of files in Yahoo's columns, of what has no bars yet; without `symbols` of those
    configured that have a file there.

    They count as bars of the configured feed, which goes on with the series: it is up to whoever imports that they are.
    Raises DaemonError where it has none.
    """
    if not folder.is_dir():
        raise DaemonError(f"{folder} is no folder; give the one that the files SYMBOL.csv or SYMBOL.parquet are in.")
    there = {path.stem for path in folder.iterdir() if path.suffix in (".csv", ".parquet")}
    found = symbols or [symbol for symbol in services.settings.market.every_symbol if symbol in there]
    if not found:
        raise DaemonError(f"{folder} has no file of a configured symbol; name them as [market] does, RELIANCE.NS.csv.")
    wanted = _wanted(services, found)
    with reading(services.engine) as conn:
        known = newest_sessions(conn).keys()
    return _backfilled(replace(services, feed=FilesFeed(folder, name=services.feed.name)), wanted, known)


def _wanted(services: Services, symbols: Sequence[str]) -> list[str]:
    market = services.settings.market
    require_listed(market, symbols)
    return [symbol for symbol in market.every_symbol if not symbols or symbol in symbols]


def _backfilled(services: Services, wanted: Sequence[str], done: Collection[str]) -> Backfill:
    filled = tuple(_filled(services, [symbol for symbol in wanted if symbol not in done]))
    return Backfill(filled, tuple(symbol for symbol in wanted if symbol in done))


def _filled(services: Services, symbols: Sequence[str]) -> Iterator[Filled]:
    calendar = home_calendar(services.settings, services.clock.now())
    for symbol in services.progress(symbols, total=len(symbols), label="histories"):
        alone = services.settings.model_copy(update={"market": _market_of(services.settings.market, symbol)})
        try:
            report = ingest(replace(services, settings=alone), calendar, compares=False, whole=True)
        except FeedError as error:
            yield Filled(symbol, failure=str(error))
        else:
            failure = report.failed.get(symbol, "")
            if not failure:
                _note(services, symbol)
            yield Filled(symbol, report.added, report.refused, failure)
        services.alive()


def _note(services: Services, symbol: str) -> None:
    """That its history was read; killed before, the next backfill reads it again and finds nothing new."""
    begin = services.settings.market.history_start
    with transaction(services.engine) as conn:
        write_history(conn, symbol, read_from=begin, read_at=services.clock.now())


def _market_of(market: MarketOptions, symbol: str) -> MarketOptions:
    """The market as if it were this symbol alone."""
    abroad = context_symbols(market.context)
    context = {abroad[symbol]: (symbol,)} if symbol in abroad else {}
    return market.model_copy(update={"symbols": () if context else (symbol,), "peers": (), "context": context})
