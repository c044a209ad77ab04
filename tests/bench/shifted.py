"""`reliance-daemon` under a clock that is so many seconds ahead of the machine's: the same program in another year.

python -m tests.bench.shifted -251_000_000 --config docs/examples/demo.toml run
"""

import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import daemon.service.clock_watch
from daemon.cli import main
from daemon.clock import SystemClock
from daemon.service.waker import Waker

if TYPE_CHECKING:  # loaded before the daemon, pandas would be another one than the daemon's
    import pandas as pd


def shift(ahead: timedelta) -> None:
    """Every clock of the daemon is that far ahead; its scheduler, which has a clock of its own, rings by it too."""
    plan: Callable[[Waker, Mapping[str, pd.Timestamp]], None] = Waker.plan

    def planned(waker: Waker, wakes: "Mapping[str, pd.Timestamp]") -> None:
        plan(waker, {name: (instant - ahead).floor("us") for name, instant in wakes.items()})

    setattr(Waker, "plan", planned)  # noqa: B010  # a program of its own, which nobody else shares
    setattr(SystemClock, "now", lambda _: datetime.now(UTC) + ahead)  # noqa: B010
    daemon.service.clock_watch.EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)


if __name__ == "__main__":  # its training processes are started from this file, and have no clock
    shift(timedelta(seconds=float(sys.argv.pop(1))))
    main()
