"""A world in which the service code lives: the true time, what the machine's clock says, and what the feed answers."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pandas as pd

from daemon.clock import Reading
from daemon.service.clock_watch import ClockWatch
from daemon.service.loop import Loop
from daemon.service.self_test import self_test
from daemon.service.service_manager import ServiceManager
from daemon.services import Services
from daemon.sessions.desk import home_calendar
from daemon.sessions.reconcile import timetable_of
from ensemble.sessions import available_at
from storage.feeds import Feed, FeedError, History
from tests.daemon.loop_by_hand import unread

ServicesAt = Callable[..., AbstractContextManager[Services]]
Answers = Mapping[str, History | FeedError]
Fault = Callable[[Answers], Answers]


def utc(text: str) -> datetime:
    """An instant as in "2021-10-06 03:00"."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


BEGIN, END = utc("2021-10-06 03:00"), utc("2021-10-11 13:00")
"""From Wednesday before the decision to Monday after the settlement: four sessions, a weekend among them."""


@dataclass
class World:
    """Time as it is, and how far the machine's clock is off."""

    true: datetime
    ahead: timedelta = timedelta(0)
    fault: Fault | None = None
    """What becomes of the feed's answers."""
    provider: str = "files"
    """What the feed calls itself; one on the network is left in peace when it is in trouble."""
    asked: int = 0
    statuses: list[str] = field(default_factory=list)
    """What was wrong after each turn."""
    since_boot_s: float = 0.0
    asleep_s: float = 0.0

    def now(self) -> datetime:
        return self.true + self.ahead

    def read(self) -> Reading:
        return Reading(self.now(), self.since_boot_s, self.since_boot_s - self.asleep_s)

    def pass_until(self, instant: datetime) -> None:
        self.since_boot_s += max((instant - self.true).total_seconds(), 0.0)
        self.true = max(instant, self.true)

    def sleep_until(self, instant: datetime) -> None:
        self.asleep_s += (instant - self.true).total_seconds()
        self.pass_until(instant)


@dataclass
class WorldlyFeed:
    """Bars of sessions that have truly closed, whatever the machine's clock says, and then the fault."""

    inner: Feed
    world: World
    name: str
    on_network: bool

    def fetch(self, symbols: Sequence[str], *, first: date, last: date) -> Answers:
        self.world.asked += 1
        answers = self.inner.fetch(symbols, first=first, last=last)
        closed = {symbol: self._closed(answer) for symbol, answer in answers.items()}
        return closed if self.world.fault is None else self.world.fault(closed)

    def _closed(self, answer: History | FeedError) -> History | FeedError:
        if isinstance(answer, FeedError):
            return answer
        known_at = available_at(pd.DatetimeIndex(answer.bars.index), "XNSE", delay_min=0)
        return replace(answer, bars=answer.bars[known_at <= pd.Timestamp(self.world.true)])


Events = Mapping[datetime, Callable[[World], None]]


def during(since: datetime, until: datetime, fault: Fault) -> Events:
    """The feed's answers suffer `fault` from the one instant to the other."""
    return {since: _suffers(fault), until: _suffers(None)}


def _suffers(fault: Fault | None) -> Callable[[World], None]:
    def suffer(world: World) -> None:
        world.fault = fault

    return suffer


def live(folder: Path, services_at: ServicesAt, world: World, until: datetime, events: Events | None = None) -> None:
    """One process's life up to the true instant `until`; `events` come over the world at true instants of theirs."""
    coming = dict(sorted((events or {}).items()))
    with born(folder, services_at, world) as loop:
        while world.true < until:
            pause_s = loop.turn()
            world.statuses.append(loop.status)
            stop = min([until, *coming])
            world.pass_until(min(_next_look(loop, world, pause_s), stop))
            if world.true == stop and stop in coming:
                coming.pop(stop)(world)
            loop.watch.jumped()


@contextmanager
def born(folder: Path, services_at: ServicesAt, world: World) -> Iterator[Loop]:
    """A process from its start, with everything opened anew."""
    with services_at(folder, "2021-10-06 08:30") as opened:
        services = replace(
            opened, clock=world, feed=WorldlyFeed(opened.feed, world, world.provider, world.provider == "yahoo")
        )
        self_test(services)
        yield Loop(services, ClockWatch(world), unread, ServiceManager({}))


def _next_look(loop: Loop, world: World, pause_s: float) -> datetime:
    """The true instant of the next turn that can do anything: idle polls before the next wake are left out."""
    if loop.status:
        return world.true + timedelta(seconds=pause_s)
    services = loop.services
    table = timetable_of(services.settings, home_calendar(services.settings, world.now()))
    return table.next_wake(pd.Timestamp(world.now())).to_pydatetime() - world.ahead
