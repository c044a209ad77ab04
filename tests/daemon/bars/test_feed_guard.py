"""A provider in trouble is left in peace, and asked so often a day at most: across restarts, by a clock made up."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path

import pandas as pd
import pytest

from daemon.bars.feed_guard import ask
from daemon.clock import FixedClock
from daemon.health.judge import Ill, judge, read_ledger
from daemon.services import Services
from ensemble.sessions import SessionCalendar, load_calendar
from storage.engine import reading
from storage.feed_store import read_feed_state
from storage.feeds import FeedError, History
from storage.feeds.feed import FeedDown, FeedRefused, no_actions

ServicesAt = Callable[..., AbstractContextManager[Services]]
FRIDAY_EVENING = datetime(2021, 10, 1, 11, 30, tzinfo=UTC)
"""17:00 in India."""
GOOD = History(pd.DataFrame(), no_actions())


@dataclass
class Provider:
    """Refuses until `banned_until` by the made-up clock, gives nothing while `down`."""

    banned_until: datetime = FRIDAY_EVENING
    down: bool = False
    now: datetime = FRIDAY_EVENING
    asked_at: list[datetime] = field(default_factory=list)
    name: str = "yahoo"
    on_network: bool = True

    def fetch(self, symbols: Sequence[str], *, first: date, last: date) -> Mapping[str, History | FeedError]:
        self.asked_at.append(self.now)
        if self.now < self.banned_until:
            return {symbol: FeedRefused("too many\nrequests") for symbol in symbols}
        return {symbol: FeedDown("no route") if self.down else GOOD for symbol in symbols}


@pytest.fixture
def services(tmp_path: Path, write_installation: Callable[[Path], Path], services_at: ServicesAt) -> Iterator[Services]:
    with services_at(write_installation(tmp_path), "2021-10-01 17:00") as services:
        yield replace(services, feed=Provider())


def question(services: Services, provider: Provider, at: datetime, count: int) -> Mapping[str, History | FeedError]:
    provider.now = at
    then = replace(services, clock=FixedClock(at), feed=provider)
    symbols = [f"S{number}.NS" for number in range(count)]
    return ask(then, calendar(), symbols, first=date(2021, 9, 1), last=at.date())


@cache
def calendar() -> SessionCalendar:
    return load_calendar("XNSE", first=date(2021, 1, 1), last=date(2021, 12, 31))


def asked(services: Services, provider: Provider, at: datetime, count: int = 2) -> bool:
    """True when the provider gave bars at that instant."""
    try:
        answers = question(services, provider, at, count)
    except FeedError:
        return False
    return all(isinstance(answer, History) for answer in answers.values())


def live(services: Services, provider: Provider, until: datetime, *, step_min: int = 1) -> datetime | None:
    """Wants bars every so many minutes until then; when it first got some."""
    at = FRIDAY_EVENING
    while at < until:
        if asked(services, provider, at):
            return at
        at += timedelta(minutes=step_min)
    return None


def test_a_ban_of_an_hour_costs_few_requests_and_ends_by_itself(services: Services, lines: list[str]) -> None:
    provider = Provider(banned_until=FRIDAY_EVENING + timedelta(hours=1))
    recovered = live(services, provider, FRIDAY_EVENING + timedelta(days=1))
    assert recovered is not None
    assert recovered < FRIDAY_EVENING + timedelta(hours=2)
    assert len(provider.asked_at) <= 4
    told = [line for line in lines if "feed yahoo" in line]
    assert len(told) == 2
    assert told[0].startswith("feed yahoo is left in peace until 2021-10-01 11:")
    assert told[0].endswith(r"too many\nrequests")
    assert told[1] == "feed yahoo works again, after failing since 2021-10-01 11:30Z"


def test_a_ban_of_a_week_is_met_with_ten_requests_a_day_and_one_at_each_decision(services: Services) -> None:
    provider = Provider(banned_until=FRIDAY_EVENING + timedelta(days=7))
    recovered = live(services, provider, FRIDAY_EVENING + timedelta(days=8), step_min=5)
    assert recovered is not None
    assert recovered < FRIDAY_EVENING + timedelta(days=7, hours=5)
    assert len(provider.asked_at) <= 70
    # 08:45 and 09:00 in India, on Monday to Friday.
    for day in range(4, 9):
        for minute in (15, 30):
            assert datetime(2021, 10, day, 3, minute, tzinfo=UTC) in provider.asked_at


def test_a_network_that_is_down_is_tried_every_ten_minutes_or_so(services: Services) -> None:
    provider = Provider(down=True)
    live(services, provider, FRIDAY_EVENING + timedelta(hours=2))
    assert provider.asked_at[:3] == [FRIDAY_EVENING + timedelta(minutes=minute) for minute in range(3)]
    assert 12 <= len(provider.asked_at) <= 20
    pauses = [later - earlier for earlier, later in zip(provider.asked_at[1:], provider.asked_at[2:], strict=False)]
    assert max(pauses) <= timedelta(minutes=13)


def test_what_is_shut_stays_shut_over_a_restart_and_status_says_so(
    services: Services, tmp_path: Path, services_at: ServicesAt
) -> None:
    provider = Provider(banned_until=FRIDAY_EVENING + timedelta(hours=1))
    assert not asked(services, provider, FRIDAY_EVENING)
    services.engine.dispose()
    with services_at(tmp_path, "2021-10-01 17:05") as after:
        now = after.clock.now()
        assert not asked(after, provider, now)
        assert provider.asked_at == [FRIDAY_EVENING]
        with reading(after.engine) as conn:
            findings = judge(read_ledger(conn, None, "gap"), after.settings, now).findings
        (shut,) = [finding for finding in findings if finding.ill is Ill.FEED_SHUT]
        assert shut.text.startswith("yahoo is not asked before 2021-10-01 11:")
        assert not shut.unhealthy
        with pytest.raises(FeedError, match=r"is not asked before 2021-10-01 11:.*having failed 1 times"):
            question(after, provider, now, 1)


def test_a_day_s_calls_are_bounded_counted_before_they_are_made_and_new_the_next_day(services: Services) -> None:
    feed = services.settings.feed.model_copy(update={"calls_a_day": 5})
    services = replace(services, settings=services.settings.model_copy(update={"feed": feed}))
    provider = Provider()
    assert asked(services, provider, FRIDAY_EVENING, count=3)
    assert not asked(services, provider, FRIDAY_EVENING, count=3)
    assert asked(services, provider, FRIDAY_EVENING, count=2)
    with reading(services.engine) as conn:
        assert read_feed_state(conn, "yahoo").calls == 5
    with pytest.raises(FeedError, match=r"was asked for 5 symbols today, and feed\.calls_a_day was 5: 1 more wait"):
        question(services, provider, FRIDAY_EVENING, 1)
    assert asked(services, provider, FRIDAY_EVENING + timedelta(hours=13), count=3)


def test_a_folder_is_asked_as_often_as_one_likes(services: Services) -> None:
    provider = Provider(on_network=False, banned_until=FRIDAY_EVENING + timedelta(hours=1))
    for _ in range(5):
        assert not asked(services, provider, FRIDAY_EVENING)
    assert len(provider.asked_at) == 5


def test_a_symbol_that_is_unknown_is_no_trouble_of_the_provider(services: Services) -> None:
    class Ignorant(Provider):
        def fetch(self, symbols: Sequence[str], *, first: date, last: date) -> Mapping[str, History | FeedError]:
            return {symbol: FeedError(f"no {symbol}") for symbol in symbols}

    for _ in range(5):
        assert not asked(services, Ignorant(), FRIDAY_EVENING)
    with reading(services.engine) as conn:
        assert read_feed_state(conn, "yahoo").failures == 0
