"""How live forecasts do beside what they expected, and how they and features look beside what was. Rows are added."""

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Connection, select

from storage.promotion_tables import feature_drift, forecast_drift, live_loss
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


@dataclass(frozen=True, slots=True)
class DriftRow:
    """The features of a session and those before it, beside what the version that spoke has learnt from."""

    session: date
    model_id: str
    drift_index: float
    most_usual: float
    furthest: tuple[str, ...]
    watched_at: datetime

    @property
    def is_unusual(self) -> bool:
        """Further off than any sessions that it has learnt from."""
        return self.drift_index > self.most_usual


@dataclass(frozen=True, slots=True)
class ForecastDriftRow:
    """The forecasts of a session and those before it, beside what the version that spoke had said out of sample."""

    session: date
    label: str
    model_id: str
    distance: float
    limit_distance: float
    watched_at: datetime

    @property
    def is_unusual(self) -> bool:
        """Further off than chance explains."""
        return self.distance > self.limit_distance


def write_drift(conn: Connection, found: DriftRow) -> None:
    """Adds the row; what is there already stays."""
    if conn.scalar(select(feature_drift.c.session).where(feature_drift.c.session == found.session)) is None:
        insert_rows(conn, feature_drift, [row_of(found) | {"furthest": list(found.furthest)}])


def newest_drift(conn: Connection) -> DriftRow | None:
    """The row of the newest session; None before the first."""
    query = select(*record_columns(DriftRow, feature_drift)).order_by(feature_drift.c.session.desc()).limit(1)
    row = conn.execute(query).first()
    return None if row is None else DriftRow(**row._asdict() | {"furthest": tuple(row.furthest)})


def write_forecast_drift(conn: Connection, found: ForecastDriftRow) -> None:
    """Adds the row; what is there already stays."""
    there = select(forecast_drift.c.session).filter_by(session=found.session, label=found.label)
    if conn.scalar(there) is None:
        insert_rows(conn, forecast_drift, [row_of(found)])


def newest_forecast_drift(conn: Connection, label: str) -> ForecastDriftRow | None:
    """The row of the newest session with that label; None before the first."""
    query = select(*record_columns(ForecastDriftRow, forecast_drift)).filter_by(label=label)
    row = conn.execute(query.order_by(forecast_drift.c.session.desc()).limit(1)).first()
    return None if row is None else ForecastDriftRow(*row)


def write_live_loss(conn: Connection, found: LiveLoss) -> None:
    """Adds the row."""
    insert_rows(conn, live_loss, [row_of(found)])


def first_alarm(conn: Connection, label: str, *, after: datetime, before: date) -> LiveLoss | None:
    """The oldest row with an alarm of that label, written after that instant, of a session before `before`."""
    query = select(*record_columns(LiveLoss, live_loss)).filter_by(label=label, alarm=True)
    within = query.where(live_loss.c.watched_at > after, live_loss.c.session < before)
    row = conn.execute(within.order_by(live_loss.c.session).limit(1)).first()
    return None if row is None else LiveLoss(*row)


def read_live_losses(
    conn: Connection, label: str, *, newest: int, before: date = date.max, known_at: datetime | None = None
) -> list[LiveLoss]:
    """The newest rows of that label, of sessions before `before` and written by `known_at`, newest first."""
    query = select(*record_columns(LiveLoss, live_loss)).where(live_loss.c.label == label, live_loss.c.session < before)
    if known_at is not None:
        query = query.where(live_loss.c.watched_at <= known_at)
    return [LiveLoss(*row) for row in conn.execute(query.order_by(live_loss.c.session.desc()).limit(newest))]
