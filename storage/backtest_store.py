"""Backtests: each replaces the one before it, all but the forecasts that both have."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Connection, func, select

from storage.schema import METADATA
from storage.tables import Origin, forecasts, member_forecasts

BACKTEST: Origin = "backtest"
FORECAST_TABLES = (forecasts, member_forecasts)


@dataclass(frozen=True, slots=True)
class ForecastSource:
    """All that the forecasts of one session depend on, and how many there are: where it is equal, they are."""

    model_id: str
    data_digest: str
    code_version: str
    decided_at: datetime
    forecasts: int
    member_forecasts: int


def read_sources(conn: Connection) -> dict[date, ForecastSource]:
    """Where the stored backtest's forecasts come from, by session."""
    table, members = forecasts.c, member_forecasts.c
    source = (table.session, table.model_id, table.data_digest, table.code_version, table.decided_at)
    said = conn.execute(
        select(*source, func.count().label("forecasts"))
        .where(table.origin == BACKTEST, table.late == 0)
        .group_by(*source)
    ).all()
    of_members = select(members.session, members.model_id, func.count()).where(members.origin == BACKTEST)
    counts = {
        (session, model_id): count
        for session, model_id, count in conn.execute(of_members.group_by(members.session, members.model_id))
    }
    return {
        row.session: ForecastSource(
            row.model_id,
            row.data_digest,
            row.code_version,
            row.decided_at,
            row.forecasts,
            counts.get((row.session, row.model_id), 0),
        )
        for row in said
    }


def clear_backtest(conn: Connection, *, keep: Collection[date] = ()) -> int:
    """How many rows were deleted: all of origin backtest but the forecasts of the sessions in `keep`.

    Bars, models and outcomes have no origin and stay.
    """
    deleted = 0
    for table in METADATA.sorted_tables:
        if "origin" in table.columns and not (keep and table in FORECAST_TABLES):
            deleted += conn.execute(table.delete().where(table.c.origin == BACKTEST)).rowcount
    for table in FORECAST_TABLES if keep else ():
        stored = conn.execute(select(table.c.session).where(table.c.origin == BACKTEST).distinct()).scalars()
        for session in sorted(set(stored) - set(keep)):
            of_session = table.delete().where(table.c.origin == BACKTEST, table.c.session == session)
            deleted += conn.execute(of_session).rowcount
    return deleted
