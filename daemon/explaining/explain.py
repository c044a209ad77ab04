"""Explains a stored row: what it was made from is put together again and taken apart, and stands beside its past."""

import pandas as pd
from sqlalchemy import Connection, Engine

from daemon.clock import Clock
from daemon.config.settings import Settings
from daemon.console.progress import silent
from daemon.errors import DaemonError
from daemon.evaluating.holdout import without_holdout
from daemon.explaining.explanation import Explanation, Reasoning
from daemon.explaining.reasoning import reason
from daemon.explaining.standpoint import Then, put_together
from daemon.explaining.stored import Question, Stored, read_stored
from daemon.services import Services
from daemon.sessions.desk import home_calendar
from ensemble.evaluation.holdout import before_holdout
from ensemble.evaluation.past_record import PastRecord, past_record, rehearsed_record
from ensemble.evaluation.scored import scored_labels
from ensemble.forecasts import Forecast
from ensemble.sessions import CalendarError
from ensemble.stacking.history import ColumnMismatch
from ensemble.trading.events import EventError
from storage.backtest_store import BACKTEST
from storage.engine import reading
from storage.errors import StoreError
from storage.feeds import open_feed
from storage.model_store import ModelStore, ModelStoreError
from storage.outcome_store import read_scored
from storage.tables import LIVE

REHEARSED = "rehearsal, all stocks"
"""Whose record: what the one who speaks said out of sample in the months before the model was made."""


def explain(services: Services, asked: Question) -> Explanation:
    """Why the stored row is what it is. It only reads. Raises DaemonError where no such row is stored."""
    with reading(services.engine) as conn:
        stored = read_stored(conn, asked)
        past = {} if stored.forecast is None else _past(conn, services, asked, stored.forecast)
    holdout_from = services.settings.evaluation.holdout_from
    held_out = holdout_from is not None and asked.session >= holdout_from
    then, unexplained = _then(services, asked, stored)
    reasoning: Reasoning | None = None
    if then is not None and stored.forecast is not None:
        reasoning = reason(then, stored, stored.forecast)
        if not held_out:
            evidence = then.model.combiner.evidence(asked.label)
            past[REHEARSED] = rehearsed_record(evidence, confidence_of(stored.forecast))
    return Explanation(
        session=asked.session,
        symbol=asked.symbol,
        label=asked.label,
        origin=asked.origin,
        decided_at=stored.decided_at,
        forecast=stored.forecast,
        member_probabilities=stored.members,
        signal=stored.signal if stored.signal and stored.signal.label == asked.label else None,
        outcome=None if held_out else stored.outcome,
        held_out=held_out,
        past=past,
        reasoning=reasoning,
        unexplained=unexplained,
    )


def onlooker(engine: Engine, settings: Settings, clock: Clock) -> Services:
    """What it takes to explain and to report: nothing is written, asked of a feed or trained."""
    models = ModelStore(settings.storage.models_dir, read_only=True)
    return Services(settings, clock, engine, models, open_feed(settings.feed), silent)


def confidence_of(forecast: Forecast) -> float:
    """How sure it is of its own side, from 0.5 to 1."""
    return max(forecast.probability, 1 - forecast.probability)


def _then(services: Services, asked: Question, stored: Stored) -> tuple[Then | None, str]:
    """What it was made from, or why that can't be put together again."""
    try:
        then = put_together(services, asked, stored)
        _ = then.model.members  # read now: a part may be gone
    except (DaemonError, StoreError, ModelStoreError, CalendarError, EventError, ColumnMismatch) as error:
        return None, str(error).rstrip(".")
    return then, ""


def _past(conn: Connection, services: Services, asked: Question, forecast: Forecast) -> dict[str, PastRecord]:
    """The record of forecasts as sure as this one, by whose they are: live and backtest apart, one stock and all.

    Outcomes count that were known before the session began, and none that is held out.
    """
    settings, now = services.settings, services.clock.now()
    sessions, limits = home_calendar(settings, now).sessions, settings.labels.barrier.limits
    records = {}
    for origin in dict.fromkeys((asked.origin, LIVE, BACKTEST)):
        stored = read_scored(conn, origin, first=pd.Timestamp(0).date(), last=asked.session, label=asked.label)
        rows = without_holdout(stored, settings, now=now)
        rows = before_holdout(rows, asked.session, sessions=sessions, limits=limits)
        for whose, chosen in ((asked.symbol, rows[rows["symbol"] == asked.symbol]), ("all stocks", rows)):
            if chosen["outcome"].notna().any():
                scored = scored_labels(chosen, limits)[asked.label]
                records[f"{origin}, {whose}"] = past_record(scored, confidence_of(forecast))
    return records
