"""Between the daemon and a provider on the network: left in peace while it is in trouble, asked so often a day at most.

What it goes by is in the database, so that a restart forgets nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta

import pandas as pd
from loguru import logger

from daemon.console.redaction import one_line
from daemon.services import Services
from ensemble.counted import counted
from ensemble.sessions import SessionCalendar
from storage.engine import transaction
from storage.feed_store import FeedState, read_feed_state, write_feed_state
from storage.feeds import FeedError, History
from storage.feeds.breaker import failed, is_shut, worked
from storage.feeds.feed import FeedDown, FeedRefused

LAST_TRY = timedelta(minutes=15)
"""So long before the open a provider is asked once more, come what may."""


def ask(
    services: Services, calendar: SessionCalendar, symbols: Sequence[str], *, first: date, last: date
) -> Mapping[str, History | FeedError]:
    """What the feed says, as Feed.fetch. Raises FeedError where it is in trouble, or was asked enough today."""
    if not services.feed.on_network:
        return services.feed.fetch(symbols, first=first, last=last)
    _admit(services, len(symbols))
    answers = services.feed.fetch(symbols, first=first, last=last)
    _learn(services, calendar, answers)
    return answers


def can_wait(services: Services, calendar: SessionCalendar) -> bool:
    """A decision is due, and there is time for another try before the open."""
    now = pd.Timestamp(services.clock.now())
    decisions = calendar.decisions(services.settings.schedule.decision_time)
    return bool(((decisions <= now) & (now < calendar.opens - LAST_TRY)).any())


def _admit(services: Services, count: int) -> None:
    """Counts the calls before they are made: a process that is killed meanwhile has made them."""
    now, limit = services.clock.now(), services.settings.feed.calls_a_day
    with transaction(services.engine) as conn:
        state = read_feed_state(conn, services.feed.name)
        if state.shut_until is not None and is_shut(state, now):
            raise FeedError(
                f"{state.provider} is not asked before {state.shut_until:%Y-%m-%d %H:%M}Z, having failed "
                f"{state.failures} times in a row; it goes on by itself. Last: {state.why}"
            )
        calls = state.calls if state.day == now.date() else 0
        if calls + count > limit:
            raise FeedError(
                f"{state.provider} was asked for {counted(calls, 'symbol')} today, and feed.calls_a_day was {limit}: "
                f"{count} more wait for 00:00Z; raise it, or name fewer symbols."
            )
        write_feed_state(conn, replace(state, day=now.date(), calls=calls + count))


def _learn(services: Services, calendar: SessionCalendar, answers: Mapping[str, History | FeedError]) -> None:
    now, trouble = services.clock.now(), _trouble(answers)
    with transaction(services.engine) as conn:
        before = read_feed_state(conn, services.feed.name)
        if trouble is None:
            after = worked(before)
        else:
            after = failed(before, trouble, now, needed=_needed(services, calendar, now))
        if after != before:
            write_feed_state(conn, after)
    _tell(before, after)


def _trouble(answers: Mapping[str, History | FeedError]) -> FeedDown | None:
    """Why the provider is of no use now: it refused, or gave nothing at all; None where it works."""
    downs = [answer for answer in answers.values() if isinstance(answer, FeedDown)]
    refusals = [down for down in downs if isinstance(down, FeedRefused)]
    if refusals or not any(isinstance(answer, History) for answer in answers.values()):
        return next(iter([*refusals, *downs]), None)
    return None


def _needed(services: Services, calendar: SessionCalendar, now: datetime) -> list[datetime]:
    """When the next decision falls due, and a last time before the next open."""
    decisions = calendar.decisions(services.settings.schedule.decision_time)
    instants = (decisions, calendar.opens - LAST_TRY)
    return [after[0].to_pydatetime() for each in instants if len(after := each[each > pd.Timestamp(now)])]


def _tell(before: FeedState, after: FeedState) -> None:
    """One line when the provider is shut, one when it works again."""
    if after.shut_until is not None and before.shut_until is None:
        logger.warning(
            "feed {} is left in peace until {:%Y-%m-%d %H:%M}Z: {}",
            after.provider,
            after.shut_until,
            one_line(after.why),
        )
    if before.shut_until is not None and after.failures == 0:
        logger.info("feed {} works again, after failing since {:%Y-%m-%d %H:%M}Z", after.provider, before.failing_since)
