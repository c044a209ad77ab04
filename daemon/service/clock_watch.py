"""Notices that the clock was moved or the machine slept, and refuses an instant that cannot be."""

from datetime import UTC, date, datetime, timedelta
from enum import Enum, auto

from loguru import logger

from daemon.clock import Reading, SteadyClock
from daemon.errors import DaemonError

JUMP_S = 5.0
"""Smaller steps are the ordinary work of a time server."""
DOUBTED_S = 600.0
"""Moved forward by more, it may be wrong now or have been wrong before; which, only a bar can tell."""
EARLIEST = datetime(2020, 1, 1, tzinfo=UTC)
LATEST = datetime(2100, 1, 1, tzinfo=UTC)
"""What a machine without a battery, or a typing error, leads to lies outside."""


class ClockError(DaemonError):
    """The machine's clock says what cannot be; nothing may be decided by it."""


class Trust(Enum):
    """What speaks for the machine's clock."""

    BORNE_OUT = auto()
    """A bar of the newest session that should be over by it, or a person who looks on."""
    UNPROVEN = auto()
    """Nothing since the start: while nobody looked it may have been set to another day."""
    DOUBTED = auto()
    """It was moved forward."""


class ClockWatch:
    """Compares each look with the one before."""

    def __init__(self, clock: SteadyClock) -> None:
        self._clock = clock
        self._before: Reading = clock.read()
        self._ahead_s = 0.0
        self._borne_out = False

    @property
    def trust(self) -> Trust:
        """DOUBTED while the clock is ahead of where it would be had nobody moved it since the start."""
        if self._ahead_s > DOUBTED_S:
            return Trust.DOUBTED
        return Trust.BORNE_OUT if self._borne_out else Trust.UNPROVEN

    def bear_out(self) -> None:
        """The bars are those of the present by this clock; from now on it is watched without a gap."""
        self._borne_out = True

    def jumped(self) -> bool:
        """Whether the clock was moved or the machine slept since the last call; the log says which, and by how much."""
        before, self._before = self._before, self._clock.read()
        gone_s = self._before.since_boot_s - before.since_boot_s
        slept_s = gone_s - (self._before.awake_s - before.awake_s)
        moved_s = (self._before.now - before.now).total_seconds() - gone_s
        if slept_s >= JUMP_S:
            logger.warning("the machine slept for {}; what fell due meanwhile is done now", _span(slept_s))
        if abs(moved_s) >= JUMP_S:
            self._ahead_s += moved_s
            way = "forward" if moved_s > 0 else "back"
            now = f"{self._before.now:%Y-%m-%d %H:%M:%S}Z"
            logger.warning("the clock was moved {} by {}, to {}", way, _span(abs(moved_s)), now)
        return slept_s >= JUMP_S or abs(moved_s) >= JUMP_S


def check_clock(now: datetime, newest_bar: date | None) -> None:
    """Raises ClockError where `now` lies outside 2020 to 2099, or over a day before a bar that is stored already."""
    if not EARLIEST <= now < LATEST:
        raise ClockError(
            f"the clock says {now:%Y-%m-%d %H:%M}Z; it must lie between {EARLIEST:%Y} and {LATEST:%Y}, so nothing is "
            "done: set it (timedatectl)."
        )
    if newest_bar is not None and now.date() < newest_bar - timedelta(days=1):
        raise ClockError(
            f"the clock says {now:%Y-%m-%d %H:%M}Z and a bar of {newest_bar} is stored; it must not lie before it, so "
            "nothing is done: set it (timedatectl)."
        )


def _span(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds)))
