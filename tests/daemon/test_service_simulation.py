"""Whatever is done to the daemon, it ends with the database of one that nothing happened to.

The real service code lives through sessions under a made-up clock and feed. A seed decides where it is killed (at any
look at the clock, any request to the feed, before any commit and at the begin that follows it), when the feed is away,
when the machine sleeps and when its clock is moved. A seed that fails is replayed by its name:
`pytest tests/daemon/test_service_simulation.py -k "[17]"`.
"""

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import event

from daemon.clock import Reading
from daemon.clock_watch import ClockWatch
from daemon.desk import home_calendar
from daemon.loop import Loop
from daemon.reconcile import timetable_of
from daemon.self_test import self_test
from daemon.service_manager import ServiceManager
from daemon.services import Services
from storage.feeds import Feed, FeedError, History
from tests.daemon.faults.cheap import Rows, rows_of
from tests.daemon.loop_by_hand import unread

ServicesAt = Callable[..., AbstractContextManager[Services]]

BEGIN, END = datetime(2021, 10, 6, 3, 0, tzinfo=UTC), datetime(2021, 10, 8, 13, 0, tzinfo=UTC)
SESSIONS = ("2021-10-06", "2021-10-07", "2021-10-08")
RESTART_S = 11.0


class Killed(BaseException):
    """SIGKILL, as far as Python can raise it: nothing but the database outlives it."""


@dataclass
class World:
    """Time, and all that goes wrong in it."""

    random: np.random.Generator
    kills: int = 0
    trouble: bool = False
    now_: datetime = BEGIN
    since_boot_s: float = 0.0
    happened: list[str] = field(default_factory=list)
    _left: int = -1
    _feed_away_until: datetime = BEGIN

    def now(self) -> datetime:
        self.effect("clock")
        return self.now_

    def read(self) -> Reading:
        return Reading(self.now_, self.since_boot_s, self.since_boot_s)

    def effect(self, point: str) -> None:
        """One step that the outside world sees; the last one of a life that is killed here."""
        if self._left < 0 and self.kills:
            self._left = int(self.random.integers(1, 60))
        if self._left == 0:
            self.kills, self._left = self.kills - 1, -1
            self.happened.append(f"killed at {point}, {self.now_:%m-%d %H:%M:%S}")
            raise Killed(point)
        self._left -= 1

    def sleep_until(self, instant: datetime) -> None:
        """The machine may sleep over it by minutes, or find its clock moved, or the feed away for a while."""
        late_s = float(self.random.integers(0, 300)) if self.trouble else 0.0
        self.since_boot_s += max((instant - self.now_).total_seconds(), 0.0) + late_s
        self.now_ = max(instant, self.now_) + timedelta(seconds=late_s)
        if self.trouble and self.random.random() < 0.4:
            self._feed_away_until = self.now_ + timedelta(seconds=float(self.random.integers(1, 240)))
            self.happened.append(f"feed away until {self._feed_away_until:%m-%d %H:%M:%S}")
        if self.trouble and self.random.random() < 0.2:
            self.now_ -= timedelta(hours=2)  # and is put right again, as a time server does, at the next wake
            self.happened.append(f"clock moved back to {self.now_:%m-%d %H:%M:%S}")

    def reach_feed(self) -> bool:
        self.effect("feed")
        return self.now_ >= self._feed_away_until


@dataclass
class WorldlyFeed:
    """The feed, as far as the world lets it be reached."""

    inner: Feed
    world: World
    name: str = "files"
    on_network: bool = False

    def fetch(self, symbols: Sequence[str], *, first: date, last: date) -> Mapping[str, History | FeedError]:
        if not self.world.reach_feed():
            return {symbol: FeedError(f"{symbol} cannot be had now.") for symbol in symbols}
        return self.inner.fetch(symbols, first=first, last=last)


@contextmanager
def daemon(folder: Path, services_at: ServicesAt, world: World) -> Iterator[Loop]:
    """A process's life from its start, with everything opened anew."""
    with services_at(folder, "2021-10-06 08:30") as opened:
        for point in ("begin", "commit"):
            event.listen(opened.engine, point, lambda _, point=point: world.effect(point))
        services = replace(opened, clock=world, feed=WorldlyFeed(opened.feed, world))
        self_test(services)
        yield Loop(services, ClockWatch(world), unread, ServiceManager({}))


def live(folder: Path, services_at: ServicesAt, world: World) -> None:
    """From BEGIN to END, killed and started again as the world has it."""
    while world.now_ < END:
        try:
            with daemon(folder, services_at, world) as loop:
                while world.now_ < END:
                    pause_s = loop.turn()
                    idle = pause_s >= loop.services.settings.schedule.poll_s and not loop.status.startswith("failed")
                    wake = next_wake(loop.services, world.now_) if idle else world.now_ + timedelta(seconds=pause_s)
                    world.sleep_until(min(wake, END))
        except Killed:
            world.now_ += timedelta(seconds=RESTART_S)


def next_wake(services: Services, now: datetime) -> datetime:
    """Nothing is due until then: the idle ticks before are left out, which saves the test minutes."""
    table = timetable_of(services.settings, home_calendar(services.settings, now))
    return table.next_wake(pd.Timestamp(now)).to_pydatetime()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, lived: Path, services_at: ServicesAt) -> Rows:
    folder = copied(lived, tmp_path_factory.mktemp("undisturbed"))
    live(folder, services_at, World(np.random.default_rng(0)))
    return rows_of(folder)


def copied(lived: Path, folder: Path) -> Path:
    return Path(shutil.copytree(lived, folder / "copy"))


def check(seed: int, lived: Path, folder: Path, services_at: ServicesAt, expected: Rows) -> None:
    world = World(np.random.default_rng(seed), kills=8, trouble=True)
    folder = copied(lived, folder)
    live(folder, services_at, world)
    found = rows_of(folder)
    for name, frame in expected.items():
        try:
            pd.testing.assert_frame_equal(found[name], frame, check_exact=True)
        except AssertionError as error:
            raise AssertionError(f"seed {seed}, table {name}: {error}\n" + "\n".join(world.happened)) from error
    assert sum("killed" in what for what in world.happened) >= 3, world.happened


def test_undisturbed_it_decides_in_time_and_settles_every_session(undisturbed: Rows) -> None:
    runs = undisturbed["runs"]
    for kind in ("decide", "settle"):
        assert set(SESSIONS) <= set(runs.loc[(runs["kind"] == kind) & (runs["status"] == "done"), "session"])
    assert undisturbed["signals"].set_index("session").loc[list(SESSIONS), "late"].tolist() == [0, 0, 0]


@pytest.mark.parametrize("seed", [1])
def test_disturbed_it_ends_with_the_same_database(
    seed: int, lived: Path, tmp_path: Path, services_at: ServicesAt, undisturbed: Rows
) -> None:
    check(seed, lived, tmp_path, services_at, undisturbed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [2, 3, *range(100, 140)])
def test_disturbed_in_many_ways_it_ends_with_the_same_database(
    seed: int, lived: Path, tmp_path: Path, services_at: ServicesAt, undisturbed: Rows
) -> None:
    check(seed, lived, tmp_path, services_at, undisturbed)
