"""A database whose server is away is waited for, where a service starts: at boot the server may come up later."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from loguru import logger
from sqlalchemy import Engine

from daemon.clock import Clock
from daemon.config.settings import StorageOptions
from daemon.database.opening import open_database
from storage.engine import StoreError, is_away

SHORTEST_WAIT_S, LONGEST_WAIT_S = 1.0, 60.0
"""Between two looks whether the server answers, each twice as long as the one before."""
LONGEST_LOOK_S = 60.0
"""What a look may take: a few attempts to connect, of 10 seconds each."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How a server is waited for."""

    tell: Callable[[str, float], None]
    """Hears what is waited for, and within how many seconds it will hear of it again, or be done."""
    sleep: Callable[[float], None] = time.sleep
    now_s: Callable[[], float] = time.monotonic

    def open(self, storage: StorageOptions, clock: Clock) -> Engine:
        """`open_database`, once its server is there. Raises StoreError for all that waiting does not mend."""
        return self.until(partial(open_database, storage, clock), away=partial(is_away, storage.database_url))

    def until(self, opened: Callable[[], Engine], *, away: Callable[[], bool]) -> Engine:
        """What `opened` gives once it does; its StoreError where that has another reason than a server `away`."""
        began, wait_s = self.now_s(), SHORTEST_WAIT_S
        while True:
            try:
                engine = opened()
            except StoreError as error:
                if not away():
                    raise
                if wait_s == SHORTEST_WAIT_S:
                    logger.warning("{}; it is waited for until it answers", str(error).partition("; ")[0])
            else:
                if wait_s > SHORTEST_WAIT_S:
                    logger.info("database: its server answers, after {:.0f} s", self.now_s() - began)
                return engine
            self.tell("waiting until the server of the database answers", wait_s + LONGEST_LOOK_S)
            self.sleep(wait_s)
            wait_s = min(2 * wait_s, LONGEST_WAIT_S)
