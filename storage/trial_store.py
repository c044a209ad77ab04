"""The ledger of trials: every configuration ever scored on past sessions, so that the best of many is not overrated."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Literal

import numpy as np
import pandas as pd
from sqlalchemy import Connection, Row, func, or_, select

from storage.rows import insert_columns, insert_rows, read_frame, row_of
from storage.trial_tables import trial_sessions, trials

Kind = Literal["sweep", "backtest"]


class TrialState(StrEnum):
    """How far a trial came."""

    RUNNING = "running"
    COMPLETE = "complete"
    PRUNED = "pruned"
    """Given up early, for it was going to be none of the best. Its numbers were seen all the same."""
    FAILED = "failed"


TRADED = "traded"
"""Key in the settings of a backtest's trial: the list of ways in which its forecasts were traded."""
SEEN = (TrialState.COMPLETE, TrialState.PRUNED)
"""The states of a trial that gave a number."""


@dataclass(frozen=True, slots=True)
class TrialScores:
    """How a trial did; sessions are the units, and the symbols of one count as one."""

    sessions: int = 0
    log_loss: float | None = None
    base_log_loss: float | None = None
    """Of the base rate known at the time."""
    auc: float | None = None
    """Averaged over months."""
    right_share: float | None = None


@dataclass(frozen=True, slots=True)
class Trial:
    """One configuration that was scored on past sessions, or is being scored."""

    trial_id: str
    kind: Kind
    study: str
    number: int
    """Its place in the study, from 0."""
    state: TrialState
    digest: str
    """Of what was tried, its inputs and code: equal ones are one trial."""
    settings: Mapping[str, Any]
    label: str | None
    """None for a backtest of a version that kept one trial for all labels."""
    first_session: date
    last_session: date
    started_at: datetime
    code_version: str
    scores: TrialScores = TrialScores()
    progress: Sequence[float] | None = None
    """Mean log loss after each look at it."""
    finished_at: datetime | None = None
    detail: str = ""
    """Why it failed."""


def write_trial(conn: Connection, trial: Trial) -> None:
    """Keeps the trial; one of the same id is replaced."""
    conn.execute(trials.delete().where(trials.c.trial_id == trial.trial_id))
    row = row_of(trial)
    insert_rows(conn, trials, [row | row_of(row.pop("scores"))])


def write_performance(
    conn: Connection, trial_id: str, losses: pd.DataFrame, *, within: tuple[date, date] | None = None
) -> None:
    """Keeps a trial's losses in place of earlier ones: log_loss and base_log_loss, nats, indexed by session.

    Those of sessions that do not lie `within` two, both included, stay.
    """
    earlier = trial_sessions.delete().where(trial_sessions.c.trial_id == trial_id)
    conn.execute(earlier if within is None else earlier.where(trial_sessions.c.session.between(*within)))
    columns: dict[str, list[object]] = {
        "trial_id": [trial_id] * len(losses),
        "session": list(pd.DatetimeIndex(losses.index).date),
        **{name: losses[name].tolist() for name in ("log_loss", "base_log_loss")},
    }
    insert_columns(conn, trial_sessions, columns)


def read_trials(conn: Connection, *, study: str | None = None) -> list[Trial]:
    """Every trial, or those of a study, in the order of their numbers, then of their beginning and name."""
    chosen = select(trials) if study is None else select(trials).where(trials.c.study == study)
    in_order = chosen.order_by(trials.c.number, trials.c.started_at, trials.c.trial_id)
    return [_trial(row) for row in conn.execute(in_order)]


def number_of_trials(conn: Connection, label: str | None = None) -> int:
    """How many different configurations were ever scored on past sessions, complete or pruned.

    Of one label, if it is given: searches for it, and backtests, which forecast every label; the labels of one
    backtest are one configuration.
    """
    count = select(func.count(trials.c.digest.distinct())).where(trials.c.state.in_(SEEN))
    if label is not None:
        count = count.where(or_(trials.c.label == label, trials.c.label.is_(None)))
    return conn.execute(count).scalar_one()


def number_of_accounts(conn: Connection) -> int:
    """How many accounts were ever looked at: each configuration as often as it was traded in different ways.

    One that was scored and never traded counts as well, for it might have been chosen.
    """
    seen = conn.execute(select(trials.c.digest, trials.c.settings).where(trials.c.state.in_(SEEN))).all()
    ways: dict[str, int] = {}
    for digest, settings in seen:
        ways[digest] = max(ways.get(digest, 1), len(settings.get(TRADED, ())))
    return sum(ways.values())


def read_performance(conn: Connection, label: str, *, study: str | None = None) -> pd.DataFrame:
    """What each complete trial of the label gained on the base rate: nats a session, (n_sessions, n_trials).

    Of all searches and backtests, or of one study; of equal trials over one range the first. Columns are trial_ids,
    rows the sessions that any of them was scored on; NaN where a trial was not.
    """
    complete = [one for one in read_trials(conn, study=study) if (one.label, one.state) == (label, TrialState.COMPLETE)]
    first = {(one.digest, one.first_session, one.last_session): one.trial_id for one in reversed(complete)}
    gain = (trial_sessions.c.base_log_loss - trial_sessions.c.log_loss).label("gain")
    query = select(trial_sessions.c.trial_id, trial_sessions.c.session, gain)
    frame = read_frame(conn, query.where(trial_sessions.c.trial_id.in_(first.values())))
    return frame.pivot_table(index="session", columns="trial_id", values="gain").astype(np.float64)


def _trial(row: Row[Any]) -> Trial:
    kept = row._asdict()
    scores = TrialScores(**{name: kept.pop(name) for name in TrialScores.__dataclass_fields__})
    return Trial(**kept | {"state": TrialState(kept["state"]), "scores": scores})
