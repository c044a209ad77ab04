"""The one seam through which anything learns what time it is."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Tells the time in UTC."""

    def now(self) -> datetime:
        """The present instant, aware, in UTC."""
        ...


@dataclass(frozen=True, slots=True)
class Reading:
    """Three clocks at one moment: where they disagree, the clock was moved or the machine slept."""

    now: datetime
    since_boot_s: float
    """Goes on while the machine sleeps; nobody can set it."""
    awake_s: float
    """Stands still while the machine sleeps."""


class SteadyClock(Clock, Protocol):
    """A clock that can tell whether it was moved."""

    def read(self) -> Reading:
        """The present moment on all three clocks."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """The present instant, aware, in UTC."""
        return datetime.now(UTC)

    def read(self) -> Reading:
        """The present moment on all three clocks."""
        return Reading(self.now(), time.clock_gettime(time.CLOCK_BOOTTIME), time.monotonic())


@dataclass(frozen=True, slots=True)
class FixedClock:
    """A clock that stands still: `--now`, the backtest and the tests."""

    instant: datetime

    def now(self) -> datetime:
        """The same instant every time."""
        return self.instant
