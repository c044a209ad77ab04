"""Which ensembles were trained, for which month, and of what: the index, not the weights."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, select, union

from storage.rows import insert_rows, record_columns, row_of
from storage.tables import forecasts, member_forecasts, models


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """One trained ensemble."""

    model_id: str
    month: str
    """The month it was trained for, "2021-10": it decides from then on, until there is a newer one."""
    created_at: datetime
    manifest: Mapping[str, object]
    """Members, windows, scores, digests: whatever JSON can hold."""


def write_model(conn: Connection, entry: ModelEntry) -> bool:
    """Whether the entry is new; an id that is kept already stays as it is, for a model never changes."""
    if read_model(conn, entry.model_id) is not None:
        return False
    insert_rows(conn, models, [row_of(entry)])
    return True


def read_model(conn: Connection, model_id: str) -> ModelEntry | None:
    """The entry of that id, None where there is none."""
    row = conn.execute(_entries().where(models.c.model_id == model_id)).first()
    return None if row is None else ModelEntry(*row)


def read_models(conn: Connection) -> list[ModelEntry]:
    """Every entry, the newest month and training first."""
    return [ModelEntry(*row) for row in conn.execute(_entries())]


def find_model(conn: Connection, *, month: str, recipe: str, bars: str | None = None) -> ModelEntry | None:
    """The newest entry of that month whose manifest names that recipe and, if they are given, those bars."""
    found = month_models(conn, month=month, recipe=recipe)
    return next((entry for entry in found if bars is None or entry.manifest.get("bars") == bars), None)


def month_models(conn: Connection, *, month: str, recipe: str) -> list[ModelEntry]:
    """The entries of that month made by that recipe, newest first."""
    of_month = (ModelEntry(*row) for row in conn.execute(_entries().where(models.c.month == month)))
    return [entry for entry in of_month if entry.manifest.get("recipe") == recipe]


def earlier_models(conn: Connection, *, before: str, recipe: str) -> list[ModelEntry]:
    """The entries of earlier months made by that recipe, newest first: what may go on serving in `before`."""
    earlier = (ModelEntry(*row) for row in conn.execute(_entries().where(models.c.month < before)))
    return [entry for entry in earlier if entry.manifest.get("recipe") == recipe]


def newest_model_id(conn: Connection) -> str | None:
    """Of the newest month and training."""
    newest: str | None = conn.scalar(_entries().with_only_columns(models.c.model_id).limit(1))
    return newest


def spoken_models(conn: Connection) -> list[ModelEntry]:
    """The entries that a stored forecast names, of the ensemble or of a member."""
    spoken = union(select(forecasts.c.model_id), select(member_forecasts.c.model_id))
    return [ModelEntry(*row) for row in conn.execute(_entries().where(models.c.model_id.in_(spoken)))]


def _entries() -> Select[Any]:
    newest_first = (models.c.month.desc(), models.c.created_at.desc(), models.c.model_id.desc())
    return select(*record_columns(ModelEntry, models)).order_by(*newest_first)
