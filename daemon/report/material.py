"""All that a report shows, read at one instant from the database and the model folder."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import pandas as pd
from sqlalchemy import Connection

from daemon.bars.demergers import price_steps, read_demergers
from daemon.bars.market import continued
from daemon.config.settings import Settings
from daemon.errors import DaemonError, WrongQuestion
from daemon.explaining.explain import explain
from daemon.explaining.explanation import Explanation
from daemon.explaining.stored import Question
from daemon.health.judge import Health, judge, read_ledger
from daemon.models.standing import last_champion
from daemon.report.record import Record, Span, read_records
from daemon.services import Services
from daemon.sessions.desk import home_calendar
from ensemble.evaluation.holdout import before_holdout
from ensemble.members.curve import Curve, unpack_curve
from ensemble.trading.signals import Action
from storage.account_store import read_account
from storage.bar_store import read_bars
from storage.engine import reading
from storage.errors import StoreError
from storage.forecast_store import read_forecasts
from storage.model_index import ModelEntry, read_models
from storage.model_store import ModelStore, ModelStoreError
from storage.outcome_store import read_outcomes
from storage.promotion_store import read_model_events
from storage.run_store import Run, read_runs
from storage.tables import LIVE
from storage.view_store import read_view
from storage.views import LATEST_SIGNALS, OPEN_POSITIONS

RUNS_SHOWN = 12
EXPLAINED = 3
"""Symbols: each takes up to a second."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What the report is to be about. None leaves it to the configuration."""

    symbol: str | None = None
    first: date | None = None
    last: date | None = None


@dataclass(frozen=True, slots=True)
class BaseRate:
    """How often a label came true."""

    share: float
    outcomes: int


@dataclass(frozen=True, slots=True)
class Trained:
    """The model that serves, and how its networks learnt."""

    entry: ModelEntry | None
    curves: Mapping[str, Curve]
    """Member and seed -> its training, epoch by epoch."""


@dataclass(frozen=True, slots=True)
class Material:
    """Everything, as of `now`."""

    settings: Settings
    now: datetime
    symbols: tuple[str, ...]
    span: Span
    signals: Sequence[Mapping[str, Any]]
    """Rows of v_latest_signals: those that are acted on first, then the surest."""
    forecasts: pd.DataFrame
    """What was said of the same session, every label."""
    base_rates: Mapping[tuple[str, str], BaseRate]
    """Symbol and label -> how often it came true, of all that is known and not held out."""
    positions: Sequence[Mapping[str, Any]]
    """Rows of v_open_positions."""
    bars: Mapping[str, pd.DataFrame]
    """Of every traded symbol, whose account it is, and of the one that was asked for."""
    records: tuple[Record, Record]
    """Live, and the backtest's."""
    health: Health
    runs: Sequence[Run]
    models: Sequence[ModelEntry]
    trained: Trained
    explained: Sequence[Explanation]
    """The newest decisions taken apart, EXPLAINED at most."""

    @property
    def shows_all(self) -> bool:
        """No single symbol was asked for."""
        return self.symbols == self.settings.market.symbols

    @property
    def live(self) -> Record:
        """What was said and done as it happened."""
        return self.records[0]

    @property
    def backtest(self) -> Record:
        """What was replayed."""
        return self.records[1]


def read_material(services: Services, asked: Asked) -> Material:
    """Raises WrongQuestion for a symbol that is not traded and for a span without a day; StoreError."""
    settings, now = services.settings, services.clock.now()
    symbols = _symbols(settings, asked.symbol)
    with reading(services.engine) as conn:
        span = _span(conn, settings, asked, now)
        signals = sorted((row for row in read_view(conn, LATEST_SIGNALS) if row["symbol"] in symbols), key=_rank)
        newest = date.fromisoformat(signals[0]["session"]) if signals else span.last
        said = read_forecasts(conn, first=newest, last=newest, symbols=symbols)
        account = read_account(conn, LIVE)
        models = read_models(conn)
        champion = last_champion(read_model_events(conn, LIVE))
        return Material(
            settings=settings,
            now=now,
            symbols=symbols,
            span=span,
            signals=signals,
            forecasts=said[said["origin"] == LIVE],
            base_rates=_base_rates(conn, services, symbols, span),
            positions=[one for one in read_view(conn, OPEN_POSITIONS, order="symbol") if one["symbol"] in symbols],
            bars=_bars(conn, settings, symbols, span),
            records=read_records(conn, span, settings, now),
            health=judge(read_ledger(conn, account, settings.signals.label), settings, now),
            runs=read_runs(conn, LIVE, newest=RUNS_SHOWN),
            models=models,
            trained=_trained(services.models, models, champion),
            explained=_explained(services, signals),
        )


def is_missed(row: Mapping[str, Any]) -> bool:
    """It would have been acted on, had it been decided before the open."""
    return row["action"] != Action.HOLD and not row["actionable"]


def _rank(row: Mapping[str, Any]) -> tuple[bool, float, str]:
    return not row["actionable"], -(row["confidence"] or 0.0), row["symbol"]


def _symbols(settings: Settings, symbol: str | None) -> tuple[str, ...]:
    market = settings.market
    if symbol is not None and symbol not in (*market.symbols, *market.peers):
        known = ", ".join((*market.symbols, *market.peers))
        raise WrongQuestion(f'--symbol was "{symbol}"; it must be traded or a peer: {known}.')
    return market.symbols if symbol is None else (symbol,)


def _span(conn: Connection, settings: Settings, asked: Asked, now: datetime) -> Span:
    """By default `report.years` up to the newest session that anything is stored of."""
    stored = [row["session"] for row in read_view(conn, LATEST_SIGNALS, order="symbol")]
    last = asked.last or (date.fromisoformat(stored[0]) if stored else now.date())
    span = Span(asked.first or settings.report.first(last), last)
    if span.first > span.last:
        raise WrongQuestion(f"--from was {span.first}; it must not come after --to, {span.last}.")
    return span


def _bars(conn: Connection, settings: Settings, symbols: Sequence[str], span: Span) -> dict[str, pd.DataFrame]:
    bars = read_bars(conn, list(dict.fromkeys((*settings.market.symbols, *symbols))), first=span.first)
    shown = {symbol: frame.loc[: pd.Timestamp(span.last)] for symbol, frame in bars.items()}
    return continued(shown, price_steps(read_demergers(conn, settings)))


def _base_rates(
    conn: Connection, services: Services, symbols: Sequence[str], span: Span
) -> dict[tuple[str, str], BaseRate]:
    settings, now = services.settings, services.clock.now()
    known = read_outcomes(conn, first=date.min, last=span.last, symbols=symbols)
    sessions, limits = home_calendar(settings, now).sessions, settings.labels.barrier.limits
    seen = before_holdout(known, settings.evaluation.holdout_from, sessions=sessions, limits=limits)
    groups = seen.dropna(subset="outcome").groupby(["symbol", "label"])["outcome"]
    return {(str(symbol), str(label)): BaseRate(float(own.mean()), len(own)) for (symbol, label), own in groups}


def _explained(services: Services, signals: Sequence[Mapping[str, Any]]) -> list[Explanation]:
    found = []
    for row in signals[:EXPLAINED]:
        asked = Question(date.fromisoformat(row["session"]), row["symbol"], row["label"], LIVE)
        with suppress(DaemonError, StoreError, ModelStoreError):  # the page has more to say than this
            found.append(explain(services, asked))
    return found


def _trained(store: ModelStore, models: Sequence[ModelEntry], champion: str | None) -> Trained:
    """The champion, or the newest where nobody was promoted; curves only where they can still be read."""
    entry = next((one for one in models if one.model_id == champion), models[0] if models else None)
    curves = {}
    if entry is not None:
        members: Any = entry.manifest.get("members", ())
        for name, seed, key in [(name, seed, key) for name, keys in members for seed, key in enumerate(keys)]:
            with suppress(ModelStoreError, KeyError, ValueError):  # a part may be pruned, or no network
                curves[f"{name}, seed {seed}"] = unpack_curve(store.get_part(key)["history.csv"])
    return Trained(entry, curves)
