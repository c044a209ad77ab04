"""Reads the feed, sifts the bars, keeps what can be trusted: either everything a call brought, or nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

import pandas as pd
from loguru import logger

from daemon.services import Services, context_symbols
from ensemble.bars import Sifted, sift_bars
from ensemble.sessions import SessionCalendar, available_at
from storage.bar_store import newest_sessions, read_bars, write_bars, write_quarantine
from storage.engine import reading, transaction
from storage.feeds import FeedError

REREAD_DAYS = 60
"""About 40 sessions are read again each time: feeds correct their newest bars for weeks."""
COMPARED_BARS = 3
"""A restatement moves all old bars; a correction moves one."""
EQUAL_WITHIN = 1e-6


@dataclass(frozen=True, slots=True)
class IngestReport:
    """What one reading of the feed brought."""

    added: int
    changed: int
    refused: int
    failed: Mapping[str, str]
    """Symbols that the feed could not give, with its reason."""

    def line(self) -> str:
        """One line for log and ledger."""
        failed = f", {len(self.failed)} symbols failed" if self.failed else ""
        return f"{self.added} bars new, {self.changed} changed, {self.refused} refused{failed}"


def ingest(services: Services, calendar: SessionCalendar) -> IngestReport:
    """Brings every symbol of the configuration up to date in one transaction.

    Raises FeedError, and writes nothing, when a traded symbol cannot be had; a peer or a context series that fails
    is reported and its old bars stay.
    """
    market = services.settings.market
    exchanges = dict.fromkeys((*market.symbols, *market.peers), market.exchange) | context_symbols(market.context)
    frames, failed = _fetch(services, list(exchanges))
    for symbol in market.symbols:
        if symbol in failed:
            raise FeedError(failed[symbol])
    sifted = {
        symbol: _sift(
            services,
            calendar,
            frame,
            exchanges[symbol],
            complete=symbol not in context_symbols(market.context),
        )
        for symbol, frame in frames.items()
    }
    for reason in failed.values():
        logger.warning("feed {}: {}", services.feed.name, reason)
    return _keep(services, sifted, failed)


def _fetch(services: Services, symbols: list[str]) -> tuple[dict[str, pd.DataFrame], dict[str, str]]:
    """Raw frames of the last REREAD_DAYS; from the beginning for a new symbol and one whose history has changed."""
    start = services.settings.market.history_start
    with reading(services.engine) as conn:
        newest = newest_sessions(conn)
        firsts = {symbol: _first(newest.get(symbol), start) for symbol in symbols}
        known = [symbol for symbol in symbols if symbol in newest]
        stored = read_bars(conn, known, first=min((firsts[symbol] for symbol in known), default=start))
    frames, failed = _fetch_from(services, firsts)
    restated = [symbol for symbol, frame in frames.items() if symbol in stored and _is_restated(stored[symbol], frame)]
    if restated:
        logger.info("history of {} was restated by the feed: reading all of it again", ", ".join(restated))
        whole, failed_again = _fetch_from(services, dict.fromkeys(restated, start))
        frames = {symbol: frame for symbol, frame in frames.items() if symbol not in restated} | whole
        failed |= failed_again
    return frames, failed


def _first(newest: pd.Timestamp | None, start: date) -> date:
    return start if newest is None else max(start, newest.date() - timedelta(days=REREAD_DAYS))


def _fetch_from(services: Services, firsts: Mapping[str, date]) -> tuple[dict[str, pd.DataFrame], dict[str, str]]:
    """One request for all symbols that begin on the same date."""
    last = services.clock.now().date()
    frames: dict[str, pd.DataFrame] = {}
    failed: dict[str, str] = {}
    for first in sorted(set(firsts.values())):
        together = [symbol for symbol, begin in firsts.items() if begin == first]
        for symbol, answer in services.feed.fetch(together, first=first, last=last).items():
            if isinstance(answer, FeedError):
                failed[symbol] = str(answer)
            elif answer.empty:
                failed[symbol] = (
                    f"{symbol} has no bar from {first} to {last}; check the symbol, and whether it still trades."
                )
            else:
                frames[symbol] = answer
    return frames, failed


def _is_restated(stored: pd.DataFrame, fresh: pd.DataFrame) -> bool:
    """True when the oldest bars that both hold were scaled: a split or dividend scaled those before them too."""
    unique = fresh[~fresh.index.duplicated()]
    shared = stored.index.intersection(unique.index)
    if shared.empty:
        return False
    oldest = shared.sort_values()[:COMPARED_BARS]
    change = (unique.loc[oldest, "adj_close"].astype(float) / stored.loc[oldest, "adj_close"] - 1).abs()
    return bool((change > EQUAL_WITHIN).all())


def _sift(
    services: Services, calendar: SessionCalendar, frame: pd.DataFrame, exchange: str, *, complete: bool
) -> Sifted:
    """The frame's bars that are final by now, sifted."""
    index = pd.DatetimeIndex(frame.index)
    known_at = available_at(index, exchange, delay_min=services.settings.feed.delay_min)
    final = frame[~(known_at > pd.Timestamp(services.clock.now()))]  # an unreadable date stays, to be refused
    sessions = calendar.sessions if exchange == calendar.exchange else None
    return sift_bars(final, rules=services.settings.bars, complete=complete, sessions=sessions)


def _keep(services: Services, sifted: Mapping[str, Sifted], failed: Mapping[str, str]) -> IngestReport:
    added = changed = refused = 0
    seen_at = services.clock.now()
    with transaction(services.engine) as conn:
        for symbol, bars in sifted.items():
            changes = write_bars(conn, symbol, bars.kept, seen_at=seen_at, provider=services.feed.name)
            write_quarantine(conn, symbol, bars.refused, seen_at=seen_at)
            added, changed, refused = (
                added + changes.added,
                changed + changes.changed,
                refused + len(bars.refused),
            )
    return IngestReport(added, changed, refused, failed)
