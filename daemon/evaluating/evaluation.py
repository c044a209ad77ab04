"""What `evaluate` reads from the store, and what it has worked out from it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial

import pandas as pd
from sqlalchemy import Engine

from daemon.bars.demergers import price_steps, read_demergers
from daemon.bars.market import continued
from daemon.config.settings import Settings
from daemon.console.progress import Progress, silent
from daemon.errors import DaemonError
from daemon.evaluating.holdout import Released, release
from daemon.sessions.desk import home_calendar
from ensemble.counted import counted
from ensemble.evaluation.breakdown import Part, Parts, break_down
from ensemble.evaluation.edge_split import EdgeSplit, edge_splits, session_moves
from ensemble.evaluation.history import History, label_histories
from ensemble.evaluation.replay import TradedMarket, traded_sessions
from ensemble.evaluation.report_card import Evidence, LabelCard, report_card
from ensemble.evaluation.scored import Scored, scored_labels
from ensemble.evaluation.slices import only_symbol, only_symbols
from ensemble.evaluation.thresholds import THRESHOLDS, ThresholdAdvice, advise
from ensemble.sessions import SessionCalendar
from ensemble.trading.demerger_table import Demerger
from storage.bar_store import read_bars
from storage.engine import reading
from storage.forecast_store import read_member_forecasts
from storage.holdout_store import HoldoutOpening
from storage.outcome_store import read_scored
from storage.tables import Origin
from storage.trial_store import number_of_trials, read_performance

SIMPLE_KINDS = ("logit", "lightgbm")
"""Kinds of members that stand beside the ensemble as simple models."""


@dataclass(frozen=True, slots=True)
class Question:
    """Which forecasts are asked about."""

    first: date
    last: date
    origin: Origin = "backtest"
    symbol: str | None = None
    """None for all that were forecast."""
    label: str | None = None
    """None for all; the others are looked at nevertheless, so that picking one afterwards earns nothing."""
    open_holdout: bool = False


@dataclass(frozen=True, slots=True)
class Material:
    """The forecasts with their outcomes, and the bars they are about."""

    question: Question
    labels: Mapping[str, Scored]
    bars: Mapping[str, pd.DataFrame]
    calendar: SessionCalendar
    held_back: int
    """Sessions that stay unseen."""
    opening: HoldoutOpening | None
    """The look by which held-out sessions are seen."""
    demergers: tuple[Demerger, ...]

    @property
    def symbols(self) -> tuple[str, ...]:
        """Every symbol there is a forecast of."""
        return tuple(dict.fromkeys(symbol for scored in self.labels.values() for symbol in scored.symbols))

    @property
    def span(self) -> tuple[date, date]:
        """First and last session forecast."""
        sessions = [scored.sessions for scored in self.labels.values()]
        return min(one[0] for one in sessions).date(), max(one[-1] for one in sessions).date()

    def shown(self) -> tuple[str, ...]:
        """The labels asked for."""
        return tuple(label for label in self.labels if self.question.label in (None, label))


@dataclass(frozen=True, slots=True)
class Graded:
    """The report card of a range, label by label."""

    material: Material
    cards: Mapping[str, LabelCard]
    trials: int
    edges: tuple[EdgeSplit, ...]
    """Of the labels shown: where in the session the move lay that was forecast."""


def gather(engine: Engine, settings: Settings, question: Question, *, now: datetime) -> Material:
    """The stored forecasts asked about. `engine` must write when the hold-out is opened.

    Raises DaemonError when there are none, none whose outcome is known, or none for the symbol.
    """
    with reading(engine) as conn:
        rows = read_scored(conn, question.origin, first=question.first, last=question.last)
    if rows.empty:
        raise DaemonError(_nothing_stored(question))
    released = release(engine, rows, settings, opening=question.open_holdout, now=now)
    labels = scored_labels(released.rows, settings.labels.barrier.limits)
    if question.symbol is not None:
        labels = _of_symbol(labels, question.symbol)
    labels = {label: scored for label, scored in labels.items() if scored.known.any()}
    if not labels or question.label not in (None, *labels):
        raise DaemonError(_nothing_known(question, released))
    symbols = list(dict.fromkeys(symbol for scored in labels.values() for symbol in scored.symbols))
    with reading(engine) as conn:
        demergers = read_demergers(conn, settings)
        bars = continued(read_bars(conn, symbols, first=settings.market.history_start), price_steps(demergers))
    calendar = home_calendar(settings, now)
    return Material(question, labels, bars, calendar, released.held_back, released.opening, demergers)


def _of_symbol(labels: Mapping[str, Scored], symbol: str) -> dict[str, Scored]:
    try:
        return {label: only_symbol(scored, symbol) for label, scored in labels.items()}
    except ValueError as error:
        raise DaemonError(f"--{error}") from error


def grade(engine: Engine, settings: Settings, material: Material, progress: Progress = silent) -> Graded:
    """The report card. All labels are judged together, whichever is shown."""
    question = material.question
    with reading(engine) as conn:
        members = read_member_forecasts(conn, first=question.first, last=question.last)
        trials = max(number_of_trials(conn), 1)
        tried = {label: read_performance(conn, label) for label in material.labels}
    evidence = Evidence(
        histories=histories(settings, material),
        members=members[members["origin"] == question.origin],
        simple_members=[spec.name for spec in settings.ensemble.members if spec.kind in SIMPLE_KINDS],
        trials=trials,
        tried=tried,
    )
    watched = partial(progress, total=len(material.labels), label="report card")
    least = settings.signals.min_confidence
    cards = report_card(material.labels, evidence, min_confidence=least, watched=watched)
    return Graded(material, {label: cards[label] for label in material.shown()}, trials, _edges(settings, material))


def _edges(settings: Settings, material: Material) -> tuple[EdgeSplit, ...]:
    sessions = material.calendar.between(settings.market.history_start, material.question.last)
    return edge_splits(
        {label: material.labels[label] for label in material.shown()},
        session_moves(material.bars, sessions),
        min_confidence=settings.signals.min_confidence,
        traded=settings.market.symbols,
    )


def parts(settings: Settings, material: Material, by: Parts) -> tuple[Part, ...]:
    """The labels asked for, part by part."""
    known = histories(settings, material)
    return tuple(part for label in material.shown() for part in break_down(material.labels[label], known[label], by))


def thresholds(settings: Settings, material: Material) -> tuple[str, tuple[ThresholdAdvice, ...]]:
    """The label that was looked at, and what each threshold would have given for the symbols that are traded.

    Raises DaemonError when none of them is forecast.
    """
    label = material.question.label or settings.signals.label
    scored = material.labels.get(label)
    wanted = [material.question.symbol] if material.question.symbol else settings.market.symbols
    traded = [symbol for symbol in wanted if scored is not None and symbol in scored.symbols]
    if scored is None or not traded:
        raise DaemonError(
            f"no forecast of {label} for {', '.join(wanted)} is stored in this range; choose another label or symbol."
        )
    own = only_symbols(scored, traded)
    market = TradedMarket(
        material.calendar,
        {symbol: material.bars[symbol] for symbol in traded},
        settings.schedule.decision_time,
        settings.feed.delay_min,
        material.demergers,
    )
    sessions = traded_sessions(market, own.sessions[0].date(), own.sessions[-1].date())
    levels = sorted({*THRESHOLDS, settings.signals.min_confidence})
    rules = settings.rules
    return label, advise(own, sessions, options=settings.signals, rules=rules, thresholds=levels)


def histories(settings: Settings, material: Material) -> dict[str, History]:
    """What was known of each label before each session of the range."""
    sessions = material.calendar.between(settings.market.history_start, material.question.last)
    return label_histories(material.bars, sessions=sessions, limits=settings.labels.barrier.limits)


def _nothing_stored(question: Question) -> str:
    where = f"no {question.origin} forecasts are stored from {question.first} to {question.last}"
    if question.origin == "live":
        return f"{where}; the daemon makes one a session, and --origin backtest looks at those of a backtest."
    return f"{where}; `reliance-daemon backtest --from {question.first} --to {question.last}` makes them."


def _nothing_known(question: Question, released: Released) -> str:
    if released.held_back:
        return (
            f"all {counted(released.held_back, 'session')} from {question.first} to {question.last} are held out; "
            "choose earlier ones, or give --open-holdout, which an experiment may do once."
        )
    return (
        f"no outcome of {question.label or 'any label'} is known from {question.first} to {question.last}; "
        "choose earlier sessions, or settle them: `reliance-daemon run-once`."
    )
