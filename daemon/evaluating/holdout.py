"""What is held out stays unseen until an experiment that was declared opens it, once, and the ledger says so."""

import hashlib
from dataclasses import dataclass
from datetime import date, datetime

import pandas as pd
from sqlalchemy import Engine

from daemon.config.settings import Settings
from daemon.errors import DaemonError
from daemon.sessions.desk import home_calendar
from daemon.versions import code_version
from ensemble.evaluation.holdout import before_holdout
from storage.engine import transaction
from storage.holdout_store import HoldoutOpening, open_holdout

LOOKED_AT = ["session", "symbol", "label", "probability"]


@dataclass(frozen=True, slots=True)
class Released:
    """The forecasts that may be scored."""

    rows: pd.DataFrame
    held_back: int
    """Sessions that stay unseen."""
    opening: HoldoutOpening | None = None
    """The look that let the held-out ones be seen."""


def release(engine: Engine, rows: pd.DataFrame, settings: Settings, *, opening: bool, now: datetime) -> Released:
    """The forecasts before the hold-out; with `opening` all of them, and the look is logged, so `engine` must write.

    `rows` has at least session, symbol, label, probability and outcome; each session is unseen or seen as a whole.
    Outcomes that reach into the hold-out are unknown unless it is opened. Raises DaemonError when nothing is declared
    to open it for, HoldoutSpent when the experiment has had its look.
    """
    seen = without_holdout(rows, settings, now=now)
    held_out = rows.loc[rows.index.difference(seen.index)]
    if not opening:
        return Released(seen, int(held_out["session"].nunique()))
    holdout_from, experiment = _declared(settings)
    if held_out.empty:
        return Released(rows, 0)
    look = HoldoutOpening(
        experiment, holdout_from, held_out["session"].max().date(), _digest(held_out), now, code_version()
    )
    with transaction(engine) as conn:
        return Released(rows, 0, open_holdout(conn, look))


def without_holdout(rows: pd.DataFrame, settings: Settings, *, now: datetime) -> pd.DataFrame:
    """The forecasts before the hold-out, their outcomes unknown where they reach into it; columns as for `release`."""
    sessions = home_calendar(settings, now).sessions
    return before_holdout(
        rows, settings.evaluation.holdout_from, sessions=sessions, limits=settings.labels.barrier.limits
    )


def _declared(settings: Settings) -> tuple[date, str]:
    holdout_from, experiment = settings.evaluation.holdout_from, settings.evaluation.experiment
    if holdout_from is None:
        raise DaemonError("evaluation.holdout_from is not set, so nothing is held out; leave out --open-holdout.")
    if experiment is None:
        raise DaemonError(
            "evaluation.experiment is not set; it must name what the hold-out is opened for: declare it in config.toml."
        )
    return holdout_from, experiment


def _digest(rows: pd.DataFrame) -> str:
    """SHA-256 of the forecasts, whatever order they are in."""
    ordered = rows[LOOKED_AT].sort_values(LOOKED_AT[:3])
    return hashlib.sha256(ordered.to_csv(index=False, date_format="%Y-%m-%d").encode()).hexdigest()
