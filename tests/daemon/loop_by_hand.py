"""A loop that is turned by hand, under a clock that is set by hand."""

from dataclasses import dataclass, replace
from datetime import datetime

from daemon.clock import Reading
from daemon.config.settings import Settings
from daemon.service.clock_watch import ClockWatch
from daemon.service.loop import Loop
from daemon.service.service_manager import ServiceManager
from daemon.services import Services


@dataclass
class SetClock:
    """Whatever somebody set it to."""

    instant: datetime

    def now(self) -> datetime:
        return self.instant

    def read(self) -> Reading:
        return Reading(self.instant, 0.0, 0.0)


def unread() -> Settings:
    """What a loop reads its settings by that nobody asks for a reload."""
    raise AssertionError("nobody asked for a reload")


def loop_under(clock: SetClock, services: Services) -> Loop:
    """The loop, not turned yet."""
    return Loop(replace(services, clock=clock), ClockWatch(clock), unread, ServiceManager({}))
