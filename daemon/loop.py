"""The plain loop of `run`: reconcile, sleep until something is due, and stop when told."""

import signal
import time
from types import FrameType
from typing import NoReturn

import pandas as pd
from loguru import logger

from daemon.desk import home_calendar
from daemon.reconcile import reconcile, timetable_of
from daemon.services import Services

LONGEST_PAUSE_S = 1800.0
"""Between two attempts that fail or find no bars."""


class _Stopped(BaseException):
    """SIGTERM or Ctrl-C. Raised wherever the loop is: all work is in transactions and can be dropped at any point."""


def run_forever(services: Services) -> None:
    """Reconciles until SIGTERM or Ctrl-C. A failed reconciliation is logged and tried again, less and less often."""
    logger.info("started; forecasts for {}", ", ".join(services.settings.market.symbols))
    try:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, _stop)
        announced, vain = None, 0
        while True:
            done = _once(services)
            now = services.clock.now()
            wake = timetable_of(services.settings, home_calendar(services.settings, now)).next_wake(pd.Timestamp(now))
            vain = 0 if done else vain + 1 if wake == announced else 1
            if wake != announced:
                logger.info("next wake {:%Y-%m-%d %H:%M}Z", wake)
            announced = wake
            time.sleep(pause_s(services, wake, vain=vain))
    except _Stopped as stopped:
        logger.info("stopped by {}", stopped)


def _stop(number: int, frame: FrameType | None) -> NoReturn:
    for other in (signal.SIGTERM, signal.SIGINT):
        signal.signal(other, signal.SIG_IGN)  # once is enough: a second one must not interrupt the clean-up
    raise _Stopped(signal.Signals(number).name)


def _once(services: Services) -> bool:
    """True when all that was due is done, False when the reconciliation failed or waits for bars."""
    try:
        return not reconcile(services).waiting
    except Exception as error:  # whatever one session meets, the daemon lives to try again
        logger.error("{}: {}", type(error).__name__, error)
        return False


def pause_s(services: Services, wake: pd.Timestamp, *, vain: int) -> float:
    """How long to sleep, in seconds: never beyond the next wake.

    Never longer than schedule.poll_s either, so that a clock that jumps or a machine that slept is noticed; after
    `vain` attempts since the last wake twice as long each time, so that a feed in trouble is left in peace.
    """
    poll_s = services.settings.schedule.poll_s
    longest = poll_s if vain == 0 else min(poll_s * 2 ** min(vain - 1, 20), max(LONGEST_PAUSE_S, poll_s))
    return float(min(max((wake - pd.Timestamp(services.clock.now())).total_seconds(), 0.0), longest))
