"""What is kept of the feeds themselves: how each provider behaves, and closes on which two differ."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Connection, delete, select

from storage.feed_tables import close_checks, feed_state
from storage.rows import insert_records, insert_rows, record_columns, row_of


@dataclass(frozen=True, slots=True)
class FeedState:
    """How a provider has behaved of late."""

    provider: str
    failures: int = 0
    """Fetches in a row that brought nothing but failures of the provider."""
    failing_since: datetime | None = None
    shut_until: datetime | None = None
    """It is left in peace until then."""
    why: str = ""
    """The newest failure, in a line."""
    day: date | None = None
    calls: int = 0
    """Symbols that it was asked for on `day`."""


@dataclass(frozen=True, slots=True)
class CloseCheck:
    """A close on which two providers differ."""

    symbol: str
    session: date
    provider: str
    """The one that the stored close was compared with."""
    close: float
    other_close: float
    difference_bp: float
    checked_at: datetime


def read_feed_state(conn: Connection, provider: str) -> FeedState:
    """How `provider` has behaved; one that was never asked has not failed."""
    query = select(*record_columns(FeedState, feed_state)).where(feed_state.c.provider == provider)
    row = conn.execute(query).first()
    return FeedState(provider) if row is None else FeedState(*row)


def failing_feeds(conn: Connection) -> list[FeedState]:
    """The providers that failed when they were asked last."""
    query = select(*record_columns(FeedState, feed_state)).where(feed_state.c.failures > 0)
    return [FeedState(*row) for row in conn.execute(query.order_by(feed_state.c.provider))]


def write_feed_state(conn: Connection, state: FeedState) -> None:
    """In place of what was known of the provider."""
    conn.execute(delete(feed_state).where(feed_state.c.provider == state.provider))
    insert_rows(conn, feed_state, [row_of(state)])


def read_close_checks(conn: Connection, symbols: Collection[str] | None = None) -> list[CloseCheck]:
    """The differences that stand, the newest session first; of `symbols` alone where they are given."""
    query = select(*record_columns(CloseCheck, close_checks))
    if symbols is not None:
        query = query.where(close_checks.c.symbol.in_(symbols))
    newest = query.order_by(close_checks.c.session.desc(), close_checks.c.symbol)
    return [CloseCheck(*row) for row in conn.execute(newest)]


def replace_close_checks(
    conn: Connection, symbol: str, sessions: Collection[date], provider: str, found: Sequence[CloseCheck]
) -> None:
    """What was `found` at the sessions that were compared now, in place of what was found at them before."""
    of_these = close_checks.c.symbol == symbol, close_checks.c.provider == provider
    conn.execute(delete(close_checks).where(*of_these, close_checks.c.session.in_(sessions)))
    insert_records(conn, close_checks, found)
