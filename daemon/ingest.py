"""Reads the feed, sifts the bars, keeps what can be trusted: either everything a call brought, or nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import pandas as pd
from loguru import logger
from sqlalchemy import Connection

from daemon.calendar_check import compare, seen_in
from daemon.close_check import check_closes
from daemon.confirmation import confirmed
from daemon.context_age import silent_context
from daemon.feed_guard import ask, can_wait
from daemon.incoming import mistrust, of_another_provider
from daemon.judgement import judge, withdraw_refused
from daemon.restatements import is_restated, restatement
from daemon.services import Services, context_symbols
from ensemble.sessions import SessionCalendar, available_at
from ensemble.validation.rewriting import rewritten
from ensemble.validation.rules import Series, Sifted
from storage.action_store import read_actions, write_actions, write_restatement
from storage.bar_store import equal_rows, newest_sessions, read_bars, write_bars, write_quarantine
from storage.engine import reading, transaction
from storage.feeds import FeedError, History
from storage.quarantine_store import without_rejected
from storage.sightings import next_sighting

REREAD_DAYS = 60
"""40 sessions and more are read again each time: feeds correct their newest bars for weeks."""


@dataclass(frozen=True, slots=True)
class IngestReport:
    """What one reading of the feed brought."""

    added: int
    changed: int
    refused: int
    failed: Mapping[str, str]
    """Symbols that the feed could not give, with its reason."""
    withdrawn: int = 0
    """Stored bars that are believed no more."""

    def line(self) -> str:
        """One line for log and ledger."""
        failed = f", {len(self.failed)} symbols failed" if self.failed else ""
        withdrawn = f", {self.withdrawn} withdrawn" if self.withdrawn else ""
        return f"{self.added} bars new, {self.changed} changed, {self.refused} refused{withdrawn}{failed}"


@dataclass(frozen=True, slots=True, eq=False)
class News:
    """What the feed said of one symbol, sifted."""

    bars: Sifted
    actions: pd.DataFrame
    """As `History.actions`."""
    stored: pd.DataFrame | None
    """The newest stored bars, which were read again; None where there are none."""

    def unstored(self) -> pd.DataFrame:
        """The rows that are not stored as they are; the store would find so too, but takes longer."""
        kept = self.bars.kept
        if self.stored is None:
            return kept
        news: pd.DataFrame = kept[~equal_rows(kept, self.stored.reindex(kept.index))]
        return news


def ingest(
    services: Services, calendar: SessionCalendar, *, compares: bool = True, whole: bool = False
) -> IngestReport:
    """Brings every symbol of the configuration up to date in one transaction.

    With `compares`, warns of what all of them together say against the calendar, and of context that says nothing;
    with `whole`, reads all from the beginning, also what is stored.

    A symbol that fails is reported and its old bars stay. Raises FeedError, and writes nothing, when no traded symbol
    can be had; when some cannot and a decision can still wait for them, raises it after the others were written.
    """
    market = services.settings.market
    stored = _stored(services)
    told, failed = _fetch(services, calendar, stored, whole=whole)
    sifted = {symbol: _sift(services, calendar, symbol, told, stored) for symbol in told}
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
    news = {symbol: News(bars, told[symbol].actions, stored.get(symbol)) for symbol, bars in sifted.items()}
    report = _keep(services, news, failed)
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
    services: Services, calendar: SessionCalendar, stored: Mapping[str, pd.DataFrame], *, whole: bool
) -> tuple[dict[str, History], dict[str, str]]:
    """Histories from where `stored` begins; from the beginning for a new symbol and one whose history has changed."""
    market = services.settings.market
    with reading(services.engine) as conn:
        foreign = of_another_provider(conn, services)
    firsts = {
        symbol: stored[symbol].index[0].date() if symbol in stored and not whole else market.history_start
        for symbol in market.every_symbol
        if symbol not in foreign
    }
    told, failed = _fetch_from(services, calendar, firsts)
    failed |= foreign
    restated = [symbol for symbol in told if symbol in stored and is_restated(stored[symbol], told[symbol].bars)]
    if restated and not whole:
        logger.info("history of {} was restated by the feed: reading all of it again", ", ".join(restated))
        again, failed_again = _fetch_from(services, calendar, dict.fromkeys(restated, market.history_start))
        told = {symbol: history for symbol, history in told.items() if symbol not in restated} | again
        failed |= failed_again
    return told, failed


def _fetch_from(
    services: Services, calendar: SessionCalendar, firsts: Mapping[str, date]
) -> tuple[dict[str, History], dict[str, str]]:
    """One request for all symbols that begin in the same month."""
    last = services.clock.now().date()
    told: dict[str, History] = {}
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
                told[symbol] = answer
        services.alive()
    return told, failed


def _sift(
    services: Services,
    calendar: SessionCalendar,
    symbol: str,
    told: Mapping[str, History],
    stored: Mapping[str, pd.DataFrame],
) -> Sifted:
    """The symbol's bars that are final by now and not older than the configured history, sifted."""
    settings, frame = services.settings, told[symbol].bars
    abroad = context_symbols(settings.market.context)
    exchange = abroad.get(symbol, settings.market.exchange)
    own = settings.calendar.corrections.get(exchange, ())
    known_at = available_at(pd.DatetimeIndex(frame.index), exchange, delay_min=settings.feed.delay_min, own=own)
    future = known_at > pd.Timestamp(services.clock.now())
    ancient = frame.index < pd.Timestamp(settings.market.history_start)
    sessions = calendar.sessions if exchange == calendar.exchange else None
    # An unreadable date is neither: it stays, to be refused.
    series = Series(symbol, symbol not in abroad, sessions)
    return judge(services, series, frame[~(future | ancient)], told, stored.get(symbol))


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


def _keep(services: Services, news: Mapping[str, News], failed: Mapping[str, str]) -> IngestReport:
    added = changed = refused = withdrawn = 0
    with transaction(services.engine) as conn:
        seen_at, provider = next_sighting(conn, services.clock.now()), services.feed.name
        for symbol, one in news.items():
            write_actions(conn, symbol, one.actions, seen_at=seen_at, provider=provider)
            _keep_restatement(conn, symbol, one, seen_at)
            withdrawn += len(withdraw_refused(conn, symbol, one.bars, seen_at=seen_at))
            bars = one.unstored()
            bars = without_rejected(conn, symbol, bars) if len(bars) else bars
            bars = confirmed(conn, services, symbol, bars)
            changes = write_bars(conn, symbol, bars, seen_at=seen_at, provider=provider)
            refused += write_quarantine(conn, symbol, one.bars.refused, seen_at=seen_at)
            added, changed = added + changes.added, changed + changes.changed
    return IngestReport(added, changed, refused, failed, withdrawn)


def _keep_restatement(conn: Connection, symbol: str, news: News, seen_at: datetime) -> None:
    if news.stored is not None and is_restated(news.stored, news.bars.kept):
        known, actions = read_bars(conn, [symbol])[symbol], read_actions(conn, [symbol])
        found = restatement(symbol, known, news.bars.kept, actions, seen_at)
        if found is not None:
            write_restatement(conn, found)
