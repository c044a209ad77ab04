"""The order in which bars are seen and runs look at them: so that what a run knew can be read again for ever.

Instants are kept to the second, and a clock may go back. So bars that come in after a look are seen a second later at
least, and a look comes no earlier than anything before it. `read_bars(known_at=look)` then gives what was read.
"""

from datetime import datetime, timedelta

from sqlalchemy import Connection, func, select

from storage.feed_tables import sightings
from storage.tables import runs


def next_sighting(conn: Connection, now: datetime) -> datetime:
    """When bars that come in `now` count as seen: after every look that a run has had."""
    look = _newest_look(conn)
    return now if look is None else max(now, look + timedelta(seconds=1))


def next_look(conn: Connection, now: datetime) -> datetime:
    """An instant at which all that is stored `now` is known: no earlier than any sighting or look."""
    seen = conn.scalar(select(func.max(sightings.c.seen_at)))
    return max(instant for instant in (now, seen, _newest_look(conn)) if instant is not None)


def _newest_look(conn: Connection) -> datetime | None:
    looks = conn.execute(select(func.max(runs.c.bars_known_at), func.max(runs.c.late_known_at))).one()
    return max(filter(None, looks), default=None)
