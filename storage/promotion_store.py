"""What happened to versions of the models, and what those that do not serve say. Rows are added and never changed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, func, select

from ensemble.forecasts import Forecast
from storage.promotion_tables import model_events, shadow_forecasts
from storage.rows import insert_rows, record_columns, row_of
from storage.tables import Origin


class ModelEventKind(StrEnum):
    """What can happen to a version."""

    PROMOTED = "promoted"
    TRIED = "tried"
    """Its trial begins: it is scored beside the version that serves."""
    HELD = "held"
    """It waits for a person."""
    JUDGED = "judged"
    """It was scored beside the version that served, on the same later sessions."""
    KEPT = "kept"
    """It lost, and the version that served serves on."""
    ROLLED_BACK = "rolled_back"
    """It serves again."""
    PINNED = "pinned"
    """It serves, whatever comes, until it is unpinned."""
    UNPINNED = "unpinned"
    REFUSED = "refused"
    """It is damaged."""


POLICY = "policy"
"""The actor where no person gave a command."""


@dataclass(frozen=True, slots=True)
class ModelEvent:
    """One thing that happened to a version."""

    at: datetime
    session: date
    """The first that it counts for."""
    kind: ModelEventKind
    model_id: str
    rival_id: str | None = None
    """Who served before, or whom it was scored beside."""
    recipe: str = ""
    """The settings and the code that it counts for; empty of what a person commanded, which counts for all."""
    actor: str = POLICY
    note: str = ""
    scores: Mapping[str, Any] | None = None


def add_model_events(conn: Connection, origin: Origin, events: Sequence[ModelEvent]) -> None:
    """Appends the events, in their order, in the caller's transaction."""
    newest = conn.scalar(select(func.max(model_events.c.number)).filter_by(origin=origin)) or 0
    rows = [row_of(event, origin=origin, number=newest + place) for place, event in enumerate(events, start=1)]
    insert_rows(conn, model_events, rows)


def read_model_events(conn: Connection, origin: Origin) -> list[ModelEvent]:
    """Every event of the origin, in the order in which they happened."""
    query = select(*record_columns(ModelEvent, model_events)).filter_by(origin=origin)
    return [
        replace(event, kind=ModelEventKind(event.kind))
        for event in (ModelEvent(*row) for row in conn.execute(query.order_by(model_events.c.number)))
    ]


def write_shadows(conn: Connection, forecasts: Sequence[Forecast], *, made_at: datetime) -> None:
    """Adds what a version that does not serve said of a session; what is there already stays."""
    if not forecasts:
        return
    first, count = forecasts[0], select(func.count()).select_from(shadow_forecasts)
    if not conn.scalar(count.filter_by(session=first.session, model_id=first.model_id)):
        names = ("session", "symbol", "label", "model_id", "probability")
        rows = ({name: getattr(one, name) for name in names} | {"made_at": made_at} for one in forecasts)
        insert_rows(conn, shadow_forecasts, rows)
