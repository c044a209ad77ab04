"""The world that a simulated daemon lives in: its time, its feed, its disk, and all that goes wrong with them.

Everything follows from the seed of `random`. Where a life may end is named by the calls of `World.effect`.
"""

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from daemon.clock import Reading
from ensemble.sessions import SessionCalendar, available_at
from storage.feeds import FeedError, History

RESTART_S = 11.0
STEPS_TO_A_KILL = 400
"""A life ends after so many effects at most: several sessions, or in the middle of one."""
OUTAGES = (1, 5, 30)
"""In sessions."""
NAPS_DAYS = (3.0, 35.0)
"""How long a sleepy machine is asleep, at least and at most."""


class Killed(BaseException):
    """SIGKILL, as far as Python can raise it: nothing but the disk outlives it."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """What was away, from when to when."""

    what: str
    begin: datetime
    end: datetime


@dataclass
class World:
    """Time, and what goes wrong in it."""

    random: np.random.Generator
    calendar: SessionCalendar
    now_: datetime
    end: datetime
    hostile: bool = True
    """Something goes wrong."""
    patient: bool = False
    """What goes wrong is over before the next open: then nothing may come out otherwise."""
    sleepy: bool = False
    """The machine is awake now and then only, so that many sessions are caught up together."""
    since_boot_s: float = 0.0
    happened: list[str] = field(default_factory=list)
    troubles: list[Trouble] = field(default_factory=list)
    withheld: dict[tuple[str, date], datetime] = field(default_factory=dict)
    """Symbol and session of a bar that the feed does not have until then."""
    moved_s: float = 0.0
    """By how much the clock is wrong."""
    kills: int = 0
    begin: datetime = field(init=False)
    _left: int = -1
    _ongoing: list[Trouble] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.begin = self.now_

    def now(self) -> datetime:
        """What the clock says."""
        self.effect("clock")
        return self.now_ + timedelta(seconds=self.moved_s)

    def read(self) -> Reading:
        return Reading(self.now_ + timedelta(seconds=self.moved_s), self.since_boot_s, self.since_boot_s)

    def effect(self, point: str) -> None:
        """A step that the world outside sees; the last one of a life that ends here."""
        if not self.hostile or self.now_ >= self.end:
            return
        if self._left < 0:
            self._left = int(self.random.integers(1, STEPS_TO_A_KILL))
        self._left -= 1
        if self._left < 0:
            self.kills += 1
            self.note(f"killed at {point}")
            raise Killed(point)

    def note(self, what: str) -> None:
        self.happened.append(f"{self.now_:%Y-%m-%d %H:%M:%S} {what}")

    def away(self, what: str) -> bool:
        return any(one.what == what and self.now_ < one.end for one in self._ongoing)

    def sleep_until(self, instant: datetime) -> None:
        """The machine sleeps until then, or longer; meanwhile something may break, or be put right again."""
        self.moved_s = 0.0
        late_s = float(self.random.integers(0, 300)) if self.hostile and self.random.random() < 0.2 else 0.0
        self._pass_to(max(instant, self.now_) + timedelta(seconds=late_s))
        if self.hostile and self.now_ < self.end:
            self._break_something()

    def restart(self) -> None:
        """After a kill: at once, or after an outage."""
        self.moved_s = 0.0
        self._pass_to(self.now_ + timedelta(seconds=RESTART_S))
        if not self.patient and self.random.random() < 0.02:
            sessions = int(self.random.choice(OUTAGES, p=(0.6, 0.3, 0.1)))
            ahead = self.calendar.closes[self.calendar.closes > pd.Timestamp(self.now_)]
            back = ahead[sessions - 1].to_pydatetime() + timedelta(hours=float(self.random.uniform(0, 24)))
            self._trouble("down", min(back, self.end))
            self._pass_to(min(back, self.end))

    def come_to_rest(self) -> None:
        """Whatever is still away comes back."""
        self.moved_s = 0.0
        self._ongoing.clear()

    def _pass_to(self, instant: datetime) -> None:
        self._ongoing = [one for one in self._ongoing if instant < one.end]
        self.since_boot_s += (instant - self.now_).total_seconds()
        self.now_ = instant

    def _break_something(self) -> None:
        if self.sleepy and self.random.random() < 0.8:
            self._suspended(days=float(self.random.uniform(*NAPS_DAYS)))
            return
        chance = self.random.random()
        if chance < 0.10:
            self._trouble("feed", self._over_by(seconds=240))
        elif chance < 0.15:
            self._trouble(str(self.random.choice(["full", "locked"])), self._over_by(seconds=240))
        elif chance < 0.17:
            self.moved_s = float(self.random.choice([-7200.0, -86_000.0, 40.0]))
            self.note(f"clock moved by {self.moved_s:.0f} s")
        elif chance < 0.18 and not self.patient:
            self._trouble("feed", self.now_ + timedelta(hours=float(self.random.uniform(1, 100))))
        elif chance < 0.19 and not self.patient:
            self._trouble("full", self.now_ + timedelta(hours=float(self.random.uniform(1, 30))))
        elif chance < 0.20 and not self.patient:
            self._suspended(days=float(self.random.uniform(0.04, 2)))

    def _suspended(self, *, days: float) -> None:
        back = min(self.now_ + timedelta(days=days), self.end)
        self._trouble("suspended", back)
        self._pass_to(back)

    def _over_by(self, *, seconds: int) -> datetime:
        return self.now_ + timedelta(seconds=float(self.random.integers(1, seconds)))

    def _trouble(self, what: str, end: datetime) -> None:
        self.note(f"{what} until {end:%Y-%m-%d %H:%M:%S}")
        self.troubles.append(Trouble(what, self.now_, end))
        self._ongoing.append(self.troubles[-1])


@dataclass
class WorldlyFeed:
    """Bars of a made-up market, as far as the world lets them be had."""

    bars: Mapping[str, pd.DataFrame]
    """Of each symbol a bars frame."""
    world: World
    known_at: Mapping[str, pd.DatetimeIndex]
    """Of each symbol when its bars are final."""
    name: str = "files"
    on_network: bool = False

    def fetch(self, symbols: Sequence[str], *, first: date, last: date) -> Mapping[str, History | FeedError]:
        self.world.effect("feed")
        if self.world.away("feed"):
            return {symbol: FeedError(f"{symbol} cannot be had now.") for symbol in symbols}
        return {symbol: History(self._bars(symbol, first), NO_ACTIONS) for symbol in symbols}

    def _bars(self, symbol: str, first: date) -> pd.DataFrame:
        frame, world = self.bars[symbol], self.world
        stop = int(self.known_at[symbol].searchsorted(pd.Timestamp(world.now_), side="right"))
        shown = frame.iloc[frame.index.searchsorted(pd.Timestamp(first)) : stop]
        hidden = [
            pd.Timestamp(day) for (of, day), until in world.withheld.items() if of == symbol and world.now_ < until
        ]
        return shown[~shown.index.isin(hidden)] if hidden else shown


NO_ACTIONS = pd.DataFrame({"dividend": [], "split": []}, dtype=float, index=pd.DatetimeIndex([], name="session"))


def worldly(bars: Mapping[str, pd.DataFrame], world: World) -> WorldlyFeed:
    known = {
        symbol: available_at(pd.DatetimeIndex(frame.index), "XNSE", delay_min=60) for symbol, frame in bars.items()
    }
    return WorldlyFeed(bars, world, known)


class WorldlyCursor(sqlite3.Cursor):
    """What SQLite's driver raises when the disk is full, or another writer does not let go."""

    connection: "WorldlyConnection"

    def execute(self, sql: str, *rest: Any) -> "WorldlyCursor":
        world = self.connection.world
        if sql.startswith("BEGIN IMMEDIATE"):
            if world.away("locked"):
                raise driver_error("database is locked", sqlite3.SQLITE_BUSY)
            world.effect("begin")
        elif world.away("full") and sql.startswith(("INSERT", "UPDATE", "DELETE")):
            raise driver_error("database or disk is full", sqlite3.SQLITE_FULL)
        super().execute(sql, *rest)
        return self

    def executemany(self, sql: str, rows: Any, /) -> "WorldlyCursor":
        if self.connection.world.away("full"):
            raise driver_error("database or disk is full", sqlite3.SQLITE_FULL)
        super().executemany(sql, rows)
        return self


class WorldlyConnection(sqlite3.Connection):
    """A connection to a disk of this world."""

    world: World

    def cursor(self, factory: Any = WorldlyCursor) -> Any:
        return super().cursor(factory)

    def commit(self) -> None:
        if self.in_transaction and self.world.away("full"):
            raise driver_error("database or disk is full", sqlite3.SQLITE_FULL)
        self.world.effect("commit")
        super().commit()
        self.world.effect("committed")


def driver_error(words: str, code: int) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError(words)
    error.sqlite_errorcode = code
    error.sqlite_errorname = {sqlite3.SQLITE_BUSY: "SQLITE_BUSY", sqlite3.SQLITE_FULL: "SQLITE_FULL"}[code]
    return error


def begin_of(session: str) -> datetime:
    """Three in the morning, UTC."""
    return datetime.fromisoformat(f"{session}T03:00:00").replace(tzinfo=UTC)
