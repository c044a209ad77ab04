"""Reads the feed, sifts the bars, keeps what can be trusted: either everything a call brought, or nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pandas as pd
from loguru import logger

from daemon.calendar_check import compare, seen_in
from daemon.close_check import check_closes
from daemon.context_age import silent_context
from daemon.feed_guard import ask, can_wait
from daemon.incoming import mistrust, of_another_provider
from daemon.services import Services, context_symbols
from ensemble.sessions import SessionCalendar, available_at
from ensemble.validation.rewriting import rewritten
from ensemble.validation.rules import Series, Sifted
from ensemble.validation.sifting import sift_bars
from storage.bar_store import newest_sessions, read_bars, write_bars, write_quarantine
from storage.engine import reading, transaction
from storage.feeds import FeedError
from storage.quarantine_store import without_rejected
from storage.sightings import next_sighting

REREAD_DAYS = 60
"""40 sessions and more are read again each time: feeds correct their newest bars for weeks."""
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


def ingest(services: Services, calendar: SessionCalendar, *, compares: bool = True) -> IngestReport:
    """Brings every symbol of the configuration up to date in one transaction.

    With `compares`, warns of what all of them together say against the calendar, and of context that says nothing.

    A symbol that fails is reported and its old bars stay. Raises FeedError, and writes nothing, when no traded symbol
    can be had; when some cannot and a decision can still wait for them, raises it after the others were written.
    """
    market = services.settings.market
    stored = _stored(services)
    frames, failed = _fetch(services, calendar, stored)
    sifted = {symbol: _sift(services, calendar, symbol, frame) for symbol, frame in frames.items()}
    failed |= _rewritten(services, stored, sifted)
    lost = [failed[symbol] for symbol in market.symbols if symbol in failed]
    if market.symbols and len(lost) == len(market.symbols):
        raise FeedError(lost[0])
    for reason in failed.values():
        logger.warning("feed {}: {}", services.feed.name, reason)
    sifted = {symbol: bars for symbol, bars in sifted.items() if symbol not in failed}
    if compares:
        abroad = context_symbols(market.context)
        at_home = [one for symbol, one in sifted.items() if abroad.get(symbol, market.exchange) == market.exchange]
        _compare_with(calendar, at_home, stored)
        _tell_silent(services, sifted, stored)
    report = _keep(services, sifted, stored, failed)
    if report.added or report.changed:
        check_closes(services, calendar)
    if lost and can_wait(services, calendar):
        raise FeedError(f"{lost[0]} Until 15 minutes before the open it is asked again, then the others are decided.")
    return report


def _compare_with(calendar: SessionCalendar, sifted: Sequence[Sifted], stored: Mapping[str, pd.DataFrame]) -> None:
    """Warns of what is new since the newest stored bar and contradicts the calendar."""
    newest = max((bars.index[-1].date() for bars in stored.values() if len(bars)), default=None)
    for line in compare(calendar, map(seen_in, sifted), since=newest).lines():
        logger.warning("{} (`calendar check`, docs/calendar.md)", line)


def _tell_silent(services: Services, sifted: Mapping[str, Sifted], stored: Mapping[str, pd.DataFrame]) -> None:
    fresh = {symbol: one.kept for symbol, one in sifted.items()}
    newest: dict[str, pd.Timestamp] = {}
    for frames in (stored, fresh):
        newest |= {
            symbol: max(bars.index[-1], newest.get(symbol, bars.index[-1]))
            for symbol, bars in frames.items()
            if len(bars)
        }
    silent = silent_context(newest, services.settings, services.clock.now())
    if silent:
        logger.warning("context unknown to the forecasts: {} (docs/universe.md)", ", ".join(silent))


def _stored(services: Services) -> dict[str, pd.DataFrame]:
    """The stored bars that will be read again, of the symbols that have any.

    They begin with a month, so that symbols whose newest bars are a day apart are fetched together.
    """
    with reading(services.engine) as conn:
        newest = newest_sessions(conn)
        known = [symbol for symbol in services.settings.market.every_symbol if symbol in newest]
        begins = {symbol: (newest[symbol].date() - timedelta(days=REREAD_DAYS)).replace(day=1) for symbol in known}
        bars = read_bars(conn, known, first=min(begins.values(), default=None))
    return {symbol: frame.loc[pd.Timestamp(begins[symbol]) :] for symbol, frame in bars.items()}


def _fetch(
    services: Services, calendar: SessionCalendar, stored: Mapping[str, pd.DataFrame]
) -> tuple[dict[str, pd.DataFrame], dict[str, str]]:
    """Raw frames from where `stored` begins; from the beginning for a new symbol and one whose history has changed."""
    market = services.settings.market
    with reading(services.engine) as conn:
        foreign = of_another_provider(conn, services)
    firsts = {
        symbol: stored[symbol].index[0].date() if symbol in stored else market.history_start
        for symbol in market.every_symbol
        if symbol not in foreign
    }
    frames, failed = _fetch_from(services, calendar, firsts)
    failed |= foreign
    restated = [symbol for symbol, frame in frames.items() if symbol in stored and _is_restated(stored[symbol], frame)]
    if restated:
        logger.info("history of {} was restated by the feed: reading all of it again", ", ".join(restated))
        whole, failed_again = _fetch_from(services, calendar, dict.fromkeys(restated, market.history_start))
        frames = {symbol: frame for symbol, frame in frames.items() if symbol not in restated} | whole
        failed |= failed_again
    return frames, failed


def _fetch_from(
    services: Services, calendar: SessionCalendar, firsts: Mapping[str, date]
) -> tuple[dict[str, pd.DataFrame], dict[str, str]]:
    """One request for all symbols that begin in the same month."""
    last = services.clock.now().date()
    frames: dict[str, pd.DataFrame] = {}
    failed: dict[str, str] = {}
    for month in sorted({first.replace(day=1) for first in firsts.values()}):
        together = [symbol for symbol, first in firsts.items() if first.replace(day=1) == month]
        for symbol, answer in ask(services, calendar, together, first=month, last=last).items():
            if isinstance(answer, FeedError):
                failed[symbol] = str(answer)
            elif answer.bars.empty:
                failed[symbol] = f"{symbol} has no bar from {month} to {last}; check the symbol: does it still trade?"
            elif reason := mistrust(services.settings, symbol, answer, services.clock.now()):
                failed[symbol] = reason
            else:
                frames[symbol] = answer.bars
        services.alive()
    return frames, failed


def _is_restated(stored: pd.DataFrame, fresh: pd.DataFrame) -> bool:
    """True when the oldest bars that both hold were scaled: a split or dividend scaled those before them too."""
    shared, places, fresh_places = np.intersect1d(stored.index, fresh.index, return_indices=True)
    old, new = (
        frame["adj_close"].to_numpy()[rows[:COMPARED_BARS]] for frame, rows in ((stored, places), (fresh, fresh_places))
    )
    return len(shared) > 0 and bool((np.abs(new / old - 1) > EQUAL_WITHIN).all())


def _sift(services: Services, calendar: SessionCalendar, symbol: str, frame: pd.DataFrame) -> Sifted:
    """The frame's bars that are final by now and not older than the configured history, sifted."""
    settings = services.settings
    abroad = context_symbols(settings.market.context)
    exchange = abroad.get(symbol, settings.market.exchange)
    own = settings.calendar.corrections.get(exchange, ())
    known_at = available_at(pd.DatetimeIndex(frame.index), exchange, delay_min=settings.feed.delay_min, own=own)
    future = known_at > pd.Timestamp(services.clock.now())
    ancient = frame.index < pd.Timestamp(settings.market.history_start)
    sessions = calendar.sessions if exchange == calendar.exchange else None
    # An unreadable date is neither: it stays, to be refused.
    series = Series(symbol, symbol not in abroad, sessions)
    return sift_bars(frame[~(future | ancient)], series, rules=settings.bars)


def _rewritten(services: Services, stored: Mapping[str, pd.DataFrame], sifted: Mapping[str, Sifted]) -> dict[str, str]:
    """Symbols whose stored bars the feed changed as no split, dividend or correction does, and what to say of each."""
    reasons = {}
    for symbol in stored.keys() & sifted.keys():
        fresh, known = sifted[symbol].kept, stored[symbol]
        if len(fresh) and fresh.index[0] < known.index[0]:  # read from the beginning: compare all of it
            with reading(services.engine) as conn:
                known = read_bars(conn, [symbol])[symbol]
        count = rewritten(known, fresh)
        if count:
            reasons[symbol] = (
                f"{symbol}: {count} of {len(known)} stored bars came back changed by odd factors, which no split or "
                "dividend does; nothing of it is taken. If the feed is right, begin with an empty state_dir."
            )
    return reasons


def _keep(
    services: Services, sifted: Mapping[str, Sifted], stored: Mapping[str, pd.DataFrame], failed: Mapping[str, str]
) -> IngestReport:
    added = changed = refused = 0
    with transaction(services.engine) as conn:
        seen_at = next_sighting(conn, services.clock.now())
        for symbol, bars in sifted.items():
            news = _news(bars.kept, stored[symbol]) if symbol in stored else bars.kept
            news = without_rejected(conn, symbol, news) if len(news) else news
            changes = write_bars(conn, symbol, news, seen_at=seen_at, provider=services.feed.name)
            refused += write_quarantine(conn, symbol, bars.refused, seen_at=seen_at)
            added, changed = added + changes.added, changed + changes.changed
    return IngestReport(added, changed, refused, failed)


def _news(kept: pd.DataFrame, stored: pd.DataFrame) -> pd.DataFrame:
    """The rows that are not stored as they are; the store would find so too, but takes longer."""
    known = stored.reindex(kept.index).to_numpy()
    same = np.isclose(kept.to_numpy(), known, rtol=1e-9, atol=0, equal_nan=True).all(axis=1)
    news: pd.DataFrame = kept[~same]
    return news
