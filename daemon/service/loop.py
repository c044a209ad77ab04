"""What `run` does: reconcile, wait until something is due, live on through what goes wrong, end when told.

The main thread does all the work and decides about life and death; the waker's thread only rings. A signal raises
wherever the main thread is, because all work is in transactions and can be dropped at any point.
"""

import faulthandler
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from types import FrameType

import pandas as pd
from loguru import logger

from daemon.clock import SteadyClock
from daemon.errors import AlreadyRunning, DaemonError
from daemon.models.judging import judge_apart
from daemon.service.calm import RESTLESS, Calm, calm_until, outside_of
from daemon.service.clock_watch import ClockWatch, check_clock
from daemon.service.memory import hand_back, hold_together, settle_in
from daemon.service.reload import ReadSettings, reloaded
from daemon.service.self_test import newest_bar, self_test
from daemon.service.service_manager import ServiceManager
from daemon.service.waker import GRACE_S, Waker
from daemon.services import Services
from daemon.sessions.desk import home_calendar
from daemon.sessions.reconcile import prepare_ahead, reconcile, timetable_of
from daemon.training.combining import fit_apart
from ensemble.sessions import trading_hours
from storage.errors import DamagedStore, GoneStore, HeldElsewhere

LONGEST_PAUSE_S = 1800.0
"""Between two attempts that fail or find no bars."""
LOOK_EVERY_S = 10.0
"""How often an idle daemon looks at its clock, its scheduler and its orders, and says that it lives."""
LAST_RESORT_S = 20
"""After SIGTERM what cannot be interrupted, such as a wait for a locked database, is so ended by the kernel."""
MONTH_TURN, SESSION, TICK, RELOAD = "month turn", "session", "tick", "reload"
STOPS = frozenset({signal.SIGTERM.name, signal.SIGINT.name})


class _Stopped(BaseException):
    """SIGTERM or Ctrl-C, raised wherever the main thread is."""


def run_forever(services: Services, clock: SteadyClock, *, read: ReadSettings, manager: ServiceManager) -> None:
    """Reconciles until SIGTERM or Ctrl-C. A failed reconciliation is logged and tried again, less and less often.

    Raises ConfigError and StoreError when the self-test fails, SchedulerDied when nothing would wake it any more.
    """
    hold_together()
    self_test(services)
    loop = Loop(
        replace(services, alive=manager.alive, fit=fit_apart, judge=judge_apart), ClockWatch(clock), read, manager
    )
    faulthandler.enable()  # where it hung, when the watchdog ends it
    try:
        with _signals(loop.waker), loop.waker.awake():
            loop.live()
    except _Stopped as stopped:
        logger.info("stopped by {}", stopped)
    manager.stopping()


@dataclass
class Loop:
    """The life of one daemon, turn by turn."""

    services: Services
    watch: ClockWatch
    read: ReadSettings
    manager: ServiceManager
    waker: Waker = field(default_factory=Waker)
    calm: Calm = RESTLESS
    _announced: pd.Timestamp | None = None
    _ahead: tuple[pd.Timestamp, pd.Timestamp] | None = None
    """The next wake, and the next open."""
    _vain: int = 0
    _behind: bool = True
    """Nobody has looked whether the next session has its model, since the start, a reload or the turn of the month."""
    status: str = ""
    """What is wrong at present, for whoever asks; empty when nothing is."""

    def live(self) -> None:
        """Turn after turn, until a signal."""
        logger.info("started; forecasts for {}", ", ".join(self.services.settings.market.symbols))
        self.manager.ready("starting")
        self.manager.allow_silence(longest_silence_s(self.services))
        pause = self.turn()
        settle_in()
        while True:
            rung = self._waited(pause)
            for name in STOPS & rung:
                raise _Stopped(name)
            if RELOAD in rung:
                self._reload()
            pause = self.turn(rung)

    def turn(self, rung: frozenset[str] = frozenset()) -> float:
        """Does what is due and plans the next wakes; how long to wait for them at most, in seconds.

        A tick in the calm only plans: the ledger would say what it said before.
        """
        self._behind |= MONTH_TURN in rung
        if rung != {TICK} or not self.calm.lasts(self.services):
            self._look()
        return self._plan()

    def _look(self) -> None:
        """Does what is due, and works out when something falls due again."""
        done = self._attempt()
        settings, now = self.services.settings, pd.Timestamp(self.services.clock.now())
        try:
            calendar = home_calendar(settings, now)
            wake, opening = timetable_of(settings, calendar).next_wake(now), calendar.opens[calendar.opens > now].min()
        except (ValueError, OverflowError):  # a clock beyond every calendar, which `check_clock` has told
            wake = opening = now + pd.Timedelta(seconds=LONGEST_PAUSE_S)
        self._vain = 0 if done else self._vain + 1 if wake == self._announced else 1
        if wake != self._announced:
            logger.info("next wake {:%Y-%m-%d %H:%M}Z", wake)
            self._announced = wake
        self._ahead = wake, opening
        self.manager.status(f"{self.status}next wake {wake:%Y-%m-%d %H:%M}Z")

    def _plan(self) -> float:
        assert self._ahead is not None  # it has looked before
        (wake, opening), now = self._ahead, pd.Timestamp(self.services.clock.now())
        pause = pause_s(self.services, wake, opening=opening, vain=self._vain)
        zone = trading_hours(self.services.settings.market.exchange).zone
        month = (now.tz_convert(zone).normalize() + pd.offsets.MonthBegin()).tz_convert("UTC")
        self.waker.plan({TICK: now + pd.Timedelta(seconds=pause), SESSION: wake, MONTH_TURN: month})
        return pause

    def _attempt(self) -> bool:
        """True when all that was due is done, False when the reconciliation failed or waits for bars."""
        self.status, self.calm = "", RESTLESS
        outside, idle = outside_of(self.services), False
        try:
            check_clock(self.services.clock.now(), newest_bar(self.services.engine))
            reconciled = reconcile(self.services, trust=self.watch.trust)
            if reconciled.bears_out_clock:
                self.watch.bear_out()
            idle = not (reconciled.done or reconciled.waiting or self._behind)
            if self._behind:
                prepare_ahead(self.services)
                self._behind = False
            if idle:
                self.calm = calm_until(self.services, reconciled.next_wake, outside)
            self.status = "waiting for bars; " if reconciled.waiting else ""
            return not reconciled.waiting
        except (DamagedStore, GoneStore):
            raise  # only the next start can put another file in its place, or open the one that is there
        except HeldElsewhere as error:  # it came while the server was away: two must not go on
            raise AlreadyRunning(str(error)) from error
        except Exception as error:  # whatever one session meets, the daemon lives to try again
            foreseen = isinstance(error, DaemonError | RuntimeError | ValueError | OSError)
            logger.opt(exception=None if foreseen else error).error("{}: {}", type(error).__name__, error)
            self.status = f"failed, {type(error).__name__}: {str(error)[:200]}; "
            return False
        finally:
            if not idle:
                hand_back()

    def _waited(self, pause: float) -> frozenset[str]:
        """Which wakes came; no tick where the clock jumped, none where nothing came for over GRACE_S."""
        end = time.monotonic() + pause + GRACE_S
        while (left := end - time.monotonic()) > 0:
            rung = self.waker.wait(min(self._look_every_s, left))
            self.manager.alive()
            if self.watch.jumped():  # first, so that what is due by the clock of now is not taken on trust
                return rung - {TICK}
            if rung:
                return rung
        logger.warning("no wake came for {:.0f} s; looking at what is due all the same", pause + GRACE_S)
        return frozenset()

    @property
    def _look_every_s(self) -> float:
        return min(LOOK_EVERY_S, self.manager.watchdog_s / 3 or LOOK_EVERY_S)

    def _reload(self) -> None:
        self.manager.reloading()
        self.services = reloaded(self.services, self.read)
        self._behind = True
        self.manager.allow_silence(longest_silence_s(self.services))
        self.manager.ready("reloaded")


def longest_silence_s(services: Services) -> float:
    """The longest that work may go on without a sign of life, in seconds: one fetch, and as long again for the rest."""
    return 2 * services.settings.feed.timeout_s + 10


def pause_s(services: Services, wake: pd.Timestamp, *, opening: pd.Timestamp, vain: int) -> float:
    """How long to sleep, in seconds: never beyond the next wake.

    Never longer than schedule.poll_s either, so that whatever the scheduler misses is soon made good; after
    `vain` attempts since the last wake twice as long each time, so that a feed in trouble is left in peace, but no
    longer than a quarter of what is left until the next `opening`, which a decision that fails has to come before.
    """
    poll_s, now = services.settings.schedule.poll_s, pd.Timestamp(services.clock.now())
    left_s = (opening - now).total_seconds()
    longest = (
        poll_s if vain == 0 else min(poll_s * 2 ** min(vain - 1, 20), max(min(LONGEST_PAUSE_S, left_s / 4), poll_s))
    )
    return float(min(max((wake - now).total_seconds(), 0.0), longest))


@contextmanager
def _signals(waker: Waker) -> Iterator[None]:
    """SIGTERM and SIGINT stop, SIGHUP asks for a reload once the work at hand is done."""

    def stop(number: int, _: FrameType | None) -> None:
        for other in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(other, signal.SIG_IGN)  # once is enough: a second one must not interrupt the clean-up
        name = signal.Signals(number).name
        waker.ring(name)  # for Python drops what is raised while it collects garbage
        raise _Stopped(name)

    handlers: dict[signal.Signals, Callable[[int, FrameType | None], None]] = {
        signal.SIGTERM: stop,
        signal.SIGINT: stop,
        signal.SIGHUP: lambda *_: waker.ring(RELOAD),
    }
    heard, tell = os.pipe2(os.O_CLOEXEC)
    os.set_blocking(tell, False)
    signal.set_wakeup_fd(tell, warn_on_full_buffer=False)
    threading.Thread(target=_end_at_last, args=(heard,), name="last resort", daemon=True).start()
    for number, handler in handlers.items():
        signal.signal(number, handler)
    yield


def _end_at_last(heard: int) -> None:
    """A thread of its own hears of SIGTERM at once; the main thread does so between two steps of Python only."""
    while os.read(heard, 1)[0] not in (signal.SIGTERM, signal.SIGINT):
        pass
    time.sleep(LAST_RESORT_S)
    os.kill(os.getpid(), signal.SIGALRM)  # which nobody handles
