"""Versions that are made within their month, because live forecasts lost more than they said they would.

One a month (or quarter) at most, after the first alarm since the version of the month was made: the next one is made at
the turn. All goes by rows that are there before anything is trained, so a kill at any point leads to the same version.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import pandas as pd
from sqlalchemy import Connection

from daemon.config.settings import Settings
from ensemble.windows import month_of
from storage.model_index import month_models
from storage.watch_store import first_alarm

MARK = "early"
"""Key of a manifest that only such versions have."""


@dataclass(frozen=True, slots=True)
class Early:
    """For which session such a version is made, and after which alarm."""

    session: date
    """It learns from what was known before this one, and is out of sample from it on."""
    alarm: date
    """The session of the alarm's row in `live_loss`."""

    def stated(self) -> dict[str, str]:
        """As its manifest says it."""
        return {"session": f"{self.session}", "alarm": f"{self.alarm}"}

    def why(self) -> str:
        """As its events say it."""
        return f"made early, after the alarm of {self.alarm}"


def early_of(manifest: Mapping[str, Any]) -> Early | None:
    """None of a version that was made when its month turned."""
    said = manifest.get(MARK)
    return None if said is None else Early(*(date.fromisoformat(said[name]) for name in ("session", "alarm")))


def first_session(manifest: Mapping[str, Any]) -> pd.Timestamp:
    """From when on the version has learnt nothing of what it forecasts."""
    early = early_of(manifest)
    return pd.Timestamp(manifest["month"]) if early is None else pd.Timestamp(early.session)


def early_due(conn: Connection, settings: Settings, session: pd.Timestamp, *, recipe: str) -> Early | None:
    """What is to be made before `session` is decided, where the version of its month is there already."""
    if not settings.drift.early_retrain:
        return None
    month = settings.ensemble.serving(month_of(session))
    versions = month_models(conn, month=month, recipe=recipe)
    if not versions or any(MARK in one.manifest for one in versions):
        return None
    alarm = first_alarm(conn, settings.signals.label, after=versions[-1].created_at, before=session.date())
    return None if alarm is None else Early(session.date(), alarm.session)
