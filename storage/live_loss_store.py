"""How live forecasts do beside what they expected: a row after each settlement."""

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Connection, select

from storage.promotion_tables import live_loss
from storage.rows import insert_rows, record_columns, row_of


@dataclass(frozen=True, slots=True)
class LiveLoss:
    """What the watch found."""

    session: date
    """The newest whose outcome is known and counted."""
    label: str
    sessions: int
    excess: float
    """Log loss beyond the expected one, mean of the last 60 sessions, nats."""
    level: float
    alarm_level: float
    alarm: bool
    """The level was reached since the row before."""
    watched_at: datetime


def write_live_loss(conn: Connection, found: LiveLoss) -> None:
    """Adds the row."""
    insert_rows(conn, live_loss, [row_of(found)])


def read_live_losses(conn: Connection, label: str, *, newest: int) -> list[LiveLoss]:
    """The newest rows of that label, newest first."""
    query = select(*record_columns(LiveLoss, live_loss)).where(live_loss.c.label == label)
    return [LiveLoss(*row) for row in conn.execute(query.order_by(live_loss.c.session.desc()).limit(newest))]
