"""Whether an idle daemon has anything to look at: a minute in which nothing can have changed costs next to nothing.

The ledger decides what is due, and is asked again at the next wake, as soon as anybody has written to the database, and
every few minutes all the same.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeAlias

from daemon.services import Services
from daemon.sessions.halt import HALT_FILE
from storage.engine import database_file, reading
from storage.outbox_store import count_waiting

LONGEST = timedelta(minutes=5)
"""How old the metrics get, and how long a ticket that somebody deleted is missing, at most."""

Outside: TypeAlias = tuple[tuple[int, int, int] | None, ...] | None
"""Of each file that others change: which it is, its size, when it was written; None where they cannot be told so."""


@dataclass(frozen=True, slots=True)
class Calm:
    """Nothing falls due before `until`, as long as the world outside stays as it is."""

    until: datetime
    outside: Outside

    def lasts(self, services: Services) -> bool:
        """True as long as a look would find what the last one did."""
        return services.clock.now() < self.until and outside_of(services) == self.outside


RESTLESS = Calm(datetime.min.replace(tzinfo=UTC), None)
"""It is over."""


def calm_until(services: Services, wake: datetime, outside: Outside) -> Calm:
    """The calm after a look that found nothing to do; `outside` is how the world was before it.

    None where messages wait to be sent, and with a database that is no file.
    """
    if outside is None:
        return RESTLESS
    with reading(services.engine) as conn:
        if count_waiting(conn):
            return RESTLESS
    return Calm(min(wake, services.clock.now() + LONGEST), outside)


def outside_of(services: Services) -> Outside:
    """The database, what was written to it last, and the file that halts."""
    storage = services.settings.storage
    database = database_file(storage.database_url)
    if database is None:
        return None
    return tuple(map(_stamp, (database, database.with_name(f"{database.name}-wal"), storage.state_dir / HALT_FILE)))


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns
