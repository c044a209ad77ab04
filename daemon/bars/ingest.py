"""Reads the feed, sifts the bars, keeps what can be trusted: either everything a call brought, or nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import pandas as pd
from loguru import logger
from sqlalchemy import Connection

from daemon.bars.close_check import check_closes
from daemon.bars.confirmation import confirmed
from daemon.bars.context_age import silent_context
from daemon.bars.feed_guard import ask, can_wait
from daemon.bars.incoming import between, mistrust, newest_final, of_another_provider
from daemon.bars.judgement import judge, withdraw_refused
from daemon.bars.restatements import is_restated, left_behind, restatement
from daemon.calendars.check import compare, half_days, seen_in
from daemon.services import Services, context_symbols
from ensemble.counted import counted
from ensemble.sessions import SessionCalendar
from ensemble.validation.doubts import doubted
from ensemble.validation.rewriting import rewritten
from ensemble.validation.rules import Series, Sifted
from ensemble.validation.sifting import nothing_refused
from ensemble.validation.spotless import spotless
from storage.action_store import read_actions, write_actions, write_restatement
from storage.bar_store import (
    begins_with,
    equal_rows,
    newest_of,
    read_bars,
    read_newest_bars,
    write_all_bars,
)
from storage.engine import reading, transaction
from storage.feeds import FeedError, History
from storage.quarantine_store import symbols_with_rejected, without_rejected
from storage.refusals import write_quarantine
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
        failed = f", {counted(len(self.failed), 'symbol')} failed" if self.failed else ""
        withdrawn = f", {self.withdrawn} withdrawn" if self.withdrawn else ""
        return f"{counted(self.added, 'bar')} new, {self.changed} changed, {self.refused} refused{withdrawn}{failed}"


@dataclass(frozen=True, slots=True, eq=False)
class News:
    """What the feed said of one symbol, sifted."""

    bars: Sifted
    actions: pd.DataFrame
    """As `History.actions`."""
    stored: pd.DataFrame | None
    """The stored bars that were read again: the newest, or all where all were; None where there are none."""
    goes_on: bool
    """The kept bars begin with the stored ones, as they are."""

    def unstored(self) -> pd.DataFrame:
        """The rows that are not stored as they are; the store would find so too, but takes longer."""
        kept = self.bars.kept
        if self.stored is None:
            return kept
        if self.goes_on:
            return kept.iloc[len(self.stored) :]
        news: pd.DataFrame = kept[~equal_rows(kept, self.stored.reindex(kept.index))]
        if not is_restated(self.stored, kept):
            return news
        lacking = left_behind(self.stored, kept)
        lacking = lacking[~lacking.index.isin(doubted(self.stored, self.bars).index)]  # those are withdrawn
        return pd.concat([news, lacking]).sort_index() if len(lacking) else news


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
    told, failed, stored = _asked(services, calendar, whole=whole)
    sifted = _sift(services, calendar, told, stored)
    going_on = {symbol for symbol in stored.keys() & sifted if begins_with(sifted[symbol].kept, stored[symbol])}
    failed |= _rewritten(stored, {symbol: one for symbol, one in sifted.items() if symbol not in going_on})
    lost = [failed[symbol] for symbol in market.symbols if symbol in failed]
    if market.symbols and len(lost) == len(market.symbols):
        raise FeedError(lost[0])
    for reason in failed.values():
        logger.warning("feed {}: {}", services.feed.name, reason)
    sifted = {symbol: bars for symbol, bars in sifted.items() if symbol not in failed}
    if compares:
        _compare_with(services, calendar, sifted, stored)
        _tell_silent(services, sifted, stored)
    news = {
        symbol: News(bars, told[symbol].actions, stored.get(symbol), symbol in going_on)
        for symbol, bars in sifted.items()
    }
    report = _keep(services, news, failed)
    if report.added or report.changed:
        check_closes(services, calendar)
    if lost and can_wait(services, calendar):
        raise FeedError(f"{lost[0]} Until 15 minutes before the open it is asked again, then the others are decided.")
    return report


def _asked(
    services: Services, calendar: SessionCalendar, *, whole: bool
) -> tuple[dict[str, History], dict[str, str], dict[str, pd.DataFrame]]:
    """What the feed says, why of some symbols nothing, and the stored bars of the same sessions.

    Of a history that was restated all is read, beside all that is stored.
    """
    stored = _stored(services)
    told, failed = _fetch(services, calendar, stored, whole=whole)
    known = [symbol for symbol in told if symbol in stored]
    if not whole:
        known = [symbol for symbol in known if is_restated(stored[symbol], told[symbol].bars)]
        again, failed_again = _fetch_whole(services, calendar, known) if known else ({}, {})
        told = {symbol: history for symbol, history in told.items() if symbol not in known} | again
        failed |= failed_again
    with reading(services.engine) as conn:
        return told, failed, stored | read_bars(conn, known)


def _compare_with(
    services: Services, calendar: SessionCalendar, sifted: Mapping[str, Sifted], stored: Mapping[str, pd.DataFrame]
) -> None:
    """Warns of what is new since the newest stored bar and contradicts the calendar."""
    market, abroad = services.settings.market, context_symbols(services.settings.market.context)
    at_home = [one for symbol, one in sifted.items() if abroad.get(symbol, market.exchange) == market.exchange]
    newest = max((bars.index[-1].date() for bars in stored.values() if len(bars)), default=None)
    barless = half_days(services.settings, calendar)
    for line in compare(calendar, map(seen_in, at_home), since=newest, barless=barless).lines():
        logger.warning("{} (`calendar check`, docs/calendar.md)", line)


def _tell_silent(services: Services, sifted: Mapping[str, Sifted], stored: Mapping[str, pd.DataFrame]) -> None:
    newest: dict[str, pd.Timestamp] = {}
    for symbol in context_symbols(services.settings.market.context):
        fresh = sifted[symbol].kept if symbol in sifted else None
        ends = [bars.index[-1] for bars in (stored.get(symbol), fresh) if bars is not None and len(bars)]
        newest |= {symbol: max(ends)} if ends else {}
    silent = silent_context(newest, services.settings, services.clock.now())
    if silent:
        logger.warning("context unknown to the forecasts: {} (docs/universe.md)", ", ".join(silent))


def _stored(services: Services) -> dict[str, pd.DataFrame]:
    """The stored bars that will be read again, of the symbols that have any.

    They begin with a month, so that symbols whose newest bars are a day apart are fetched together.
    """
    with reading(services.engine) as conn:
        newest = newest_of(conn, services.settings.market.every_symbol)
        begins = {symbol: (one.session - timedelta(days=REREAD_DAYS)).replace(day=1) for symbol, one in newest.items()}
        bars = read_newest_bars(conn, begins)
    return {symbol: frame for symbol, frame in bars.items() if len(frame)}


def _fetch(
    services: Services, calendar: SessionCalendar, stored: Mapping[str, pd.DataFrame], *, whole: bool
) -> tuple[dict[str, History], dict[str, str]]:
    """Histories from where `stored` begins, from the beginning for a new symbol; why of the others there is none."""
    market = services.settings.market
    with reading(services.engine) as conn:
        foreign = of_another_provider(conn, services)
    firsts = {
        symbol: stored[symbol].index[0].date() if symbol in stored and not whole else market.history_start
        for symbol in market.every_symbol
        if symbol not in foreign
    }
    told, failed = _fetch_from(services, calendar, firsts)
    return told, failed | foreign


def _fetch_whole(
    services: Services, calendar: SessionCalendar, restated: Sequence[str]
) -> tuple[dict[str, History], dict[str, str]]:
    logger.info("history of {} was restated by the feed: reading all of it again", ", ".join(restated))
    return _fetch_from(services, calendar, dict.fromkeys(restated, services.settings.market.history_start))


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
    services: Services, calendar: SessionCalendar, told: Mapping[str, History], stored: Mapping[str, pd.DataFrame]
) -> dict[str, Sifted]:
    """Of each symbol the bars that are final by now and not older than the configured history, sifted."""
    settings, now = services.settings, services.clock.now()
    abroad = context_symbols(settings.market.context)
    exchanges = {symbol: abroad.get(symbol, settings.market.exchange) for symbol in told}
    final = {exchange: newest_final(settings, exchange, now) for exchange in {*exchanges.values()}}
    oldest = pd.Timestamp(settings.market.history_start)
    frames = {symbol: between(one.bars, oldest, final[exchanges[symbol]]) for symbol, one in told.items()}
    sessions = {calendar.exchange: calendar.sessions}
    series = {symbol: Series(symbol, symbol not in abroad, sessions.get(exchanges[symbol])) for symbol in told}
    passed, nothing = spotless(frames, series, rules=settings.bars), nothing_refused()
    # News of an older session is judged, for the first bars of those read again have no neighbours here.
    passed -= {symbol for symbol in passed & stored.keys() if not begins_with(frames[symbol], stored[symbol])}
    return {
        symbol: Sifted(frame, nothing)
        if symbol in passed
        else judge(services, series[symbol], frame, told, stored.get(symbol))
        for symbol, frame in frames.items()
    }


def _rewritten(stored: Mapping[str, pd.DataFrame], sifted: Mapping[str, Sifted]) -> dict[str, str]:
    """Symbols whose stored bars the feed changed as no split, dividend or correction does, and what to say of each."""
    reasons = {}
    for symbol in stored.keys() & sifted.keys():
        count = rewritten(stored[symbol], sifted[symbol].kept)
        if count:
            reasons[symbol] = (
                f"{symbol}: {count} of {len(stored[symbol])} stored bars came back changed by odd factors, which no "
                "split or dividend does; nothing of it is taken. If the feed is right, begin with an empty state_dir."
            )
    return reasons


def _keep(services: Services, news: Mapping[str, News], failed: Mapping[str, str]) -> IngestReport:
    withdrawn = 0
    with transaction(services.engine) as conn:
        seen_at, provider = next_sighting(conn, services.clock.now()), services.feed.name
        for symbol, one in news.items():
            write_actions(conn, symbol, one.actions, seen_at=seen_at, provider=provider)
            _keep_restatement(conn, symbol, one, seen_at)
            withdrawn += len(withdraw_refused(conn, symbol, one.bars, seen_at=seen_at))
        bars = {symbol: fresh for symbol, one in news.items() if len(fresh := one.unstored())}
        for symbol in symbols_with_rejected(conn) & bars.keys():
            bars[symbol] = without_rejected(conn, symbol, bars[symbol])
        bars = {symbol: confirmed(conn, services, symbol, fresh) for symbol, fresh in bars.items()}
        changes = write_all_bars(conn, bars, seen_at=seen_at, provider=provider)
        refused = sum(write_quarantine(conn, name, one.bars.refused, seen_at=seen_at) for name, one in news.items())
    return IngestReport(changes.added, changes.changed, refused, failed, withdrawn)


def _keep_restatement(conn: Connection, symbol: str, news: News, seen_at: datetime) -> None:
    if news.stored is not None and not news.goes_on and is_restated(news.stored, news.bars.kept):
        found = restatement(symbol, news.stored, news.bars.kept, read_actions(conn, [symbol]), seen_at)
        if found is not None:
            write_restatement(conn, found)
