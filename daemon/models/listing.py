"""The versions that are kept: when each was made, what became of it, how it did, whether a forecast speaks of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, func, select

from daemon.models.early import early_of
from daemon.models.standing import Standing
from storage.model_index import ModelEntry, read_models
from storage.promotion_store import ModelEvent, ModelEventKind
from storage.tables import LIVE, forecasts

SERVES, PINNED = "serves", "pinned"
STATES = {
    ModelEventKind.PROMOTED: "served",
    ModelEventKind.ROLLED_BACK: "served",
    ModelEventKind.PINNED: "served",
    ModelEventKind.UNPINNED: "served",
    ModelEventKind.TRIED: "on trial",
    ModelEventKind.HELD: "held",
    ModelEventKind.KEPT: "lost",
    ModelEventKind.REFUSED: "damaged",
}
"""What the last event of a version that does not serve makes of it."""


@dataclass(frozen=True, slots=True)
class Version:
    """One version, and what became of it."""

    model_id: str
    month: str
    created_at: datetime
    state: str
    """serves, pinned, served, on trial, held, lost, damaged, or empty: a backtest made it."""
    first_session: date | None
    """Of the live sessions that it forecast; `last_session` likewise."""
    last_session: date | None
    sessions: int
    backtest_sessions: int
    """Sessions of the stored backtest that it forecast."""
    parent: str | None
    scores: Mapping[str, Any] | None
    """Of its trial, by label."""
    early: date | None
    """The session before which it was made; None where it was made when its month began."""


def list_versions(conn: Connection, events: Sequence[ModelEvent], standing: Standing) -> list[Version]:
    """Every version, the newest month first."""
    spoken = _spoken(conn, LIVE)
    replayed = _spoken(conn, "backtest")
    return [_version(entry, events, standing, (spoken, replayed)) for entry in read_models(conn)]


def _version(
    entry: ModelEntry,
    events: Sequence[ModelEvent],
    standing: Standing,
    spoken: tuple[Mapping[str, tuple[int, date, date]], ...],
) -> Version:
    own = [one for one in events if one.model_id == entry.model_id]
    live = spoken[0].get(entry.model_id)
    parent, early = entry.manifest.get("parent"), early_of(entry.manifest)
    return Version(
        entry.model_id,
        entry.month,
        entry.created_at,
        _state(entry.model_id, own, standing),
        None if live is None else live[1],
        None if live is None else live[2],
        0 if live is None else live[0],
        spoken[1].get(entry.model_id, (0,))[0],
        None if parent is None else str(parent),
        next((one.scores for one in reversed(own) if one.kind is ModelEventKind.JUDGED), None),
        None if early is None else early.session,
    )


def _state(model_id: str, own: Sequence[ModelEvent], standing: Standing) -> str:
    if model_id == standing.champion:
        return PINNED if standing.pinned else SERVES
    last = next((one for one in reversed(own) if one.kind is not ModelEventKind.JUDGED), None)
    return "" if last is None else STATES[last.kind]


def _spoken(conn: Connection, origin: str) -> dict[str, tuple[int, date, date]]:
    """Version -> how many sessions it forecast, the first and the last."""
    session = forecasts.c.session
    counted = select(forecasts.c.model_id, func.count(session.distinct()), func.min(session), func.max(session))
    rows = conn.execute(counted.where(forecasts.c.origin == origin).group_by(forecasts.c.model_id))
    return {model_id: (count, first, last) for model_id, count, first, last in rows}
