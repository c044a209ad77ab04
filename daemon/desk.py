"""The desk: the market as known, its panel and its models. Live and backtest sit at the same one."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cached_property

import numpy as np
import pandas as pd
from loguru import logger

from daemon.models import ModelFactory, load_model, open_bar_digests, set_damaged_aside
from daemon.services import Services, context_symbols
from daemon.settings import Settings
from daemon.training import TrainingFailed
from ensemble.features.matrix import Market, build_panel, context_needed_from
from ensemble.forecasts import Forecast
from ensemble.labels import LABELS
from ensemble.model import Model, SessionForecasts, forecast_session
from ensemble.panel import Panel
from ensemble.sessions import SessionCalendar, load_calendar
from ensemble.stacking.combiner import who_speaks
from ensemble.trading.account import Account, Settlement, TradingRules, bars_on, settle
from ensemble.trading.limits import RiskLimits
from ensemble.trading.signals import Quote, Signal, Situation, decide_signals
from ensemble.windows import month_of
from storage.bar_store import read_bars
from storage.engine import reading, transaction
from storage.model_index import ModelEntry, earlier_models, find_model, write_model
from storage.model_store import ModelStoreError

CORRECTED_SESSIONS = 30
"""How far back outcomes are worked out again, because a feed may still correct their bars."""


@dataclass(frozen=True, slots=True)
class Decision:
    """Everything that was decided about one session."""

    session: date
    late: bool
    said: SessionForecasts
    signals: tuple[Signal, ...]
    data_digest: str
    n_features: int


@dataclass(frozen=True)
class Desk:
    """Decides and settles the sessions of one panel; models are made when first needed, and kept."""

    services: Services
    market: Market
    panel: Panel
    whole: bool
    """Built from the beginning of history, as for a backtest. It takes only models of the bars as they are now; the
    live desk takes the one that it published for the month, whatever was corrected since."""
    _models: dict[str, Model] = field(default_factory=dict)
    _stand_ins: dict[str, str] = field(default_factory=dict)
    """Month -> why a model of an earlier one serves it."""

    def prepare(self, session: pd.Timestamp) -> str:
        """Makes the model that `decide` will need, which may take long; none without bars to forecast from.

        A training that fails leaves the newest earlier model serving, until the next desk tries again: then a line
        says so, which is empty otherwise. Raises TrainingFailed when there is no earlier model.
        """
        month = self.services.settings.ensemble.serving(month_of(session))
        if self._is_fed(self._row(session)):
            try:
                self.model(month)
            except TrainingFailed as error:
                earlier = self._earlier(month)
                if earlier is None:
                    raise
                self._models[month] = earlier
                self._stand_ins[month] = f"model {earlier.model_id} still serves, because {error}"
                logger.warning("{}: {} It is tried again with the next session.", month, self._stand_ins[month])
        return self._stand_ins.get(month, "")

    def decide(self, session: pd.Timestamp, account: Account, *, late: bool) -> Decision:
        """Forecasts and signals for `session`, from what was known at its decision time."""
        row = self._row(session)
        settings = self.services.settings
        said = self._forecasts(row) if self._is_fed(row) else SessionForecasts((), ())
        signals = decide_signals(
            _traded(said.forecasts, settings.signals.label, settings.market.symbols),
            self._situation(row, account, late=late),
            options=settings.signals,
            limits=settings.risk,
        )
        return Decision(session.date(), late, said, signals, self._digest(row), len(self.panel.features))

    def settle(self, session: pd.Timestamp, account: Account, signals: Sequence[Signal]) -> Settlement:
        """The account after `session`."""
        settings = self.services.settings
        return settle(
            account,
            session=session.date(),
            bars=bars_on(self.market.bars, session.date()),
            signals=signals,
            rules=TradingRules(settings.risk, settings.costs),
        )

    def outcomes(self, sessions: pd.DatetimeIndex) -> pd.DataFrame:
        """What came of those of `sessions` that the panel has: session, symbol, label, outcome (0 or 1) where known."""
        sessions = sessions.intersection(self.panel.sessions)
        rows = self.panel.sessions.get_indexer(sessions)
        block = self.panel.labels[:, rows]
        symbol, row, label = np.nonzero(np.isfinite(block))
        return pd.DataFrame(
            {
                "session": sessions[row],
                "symbol": np.array(self.panel.symbols, dtype=object)[symbol],
                "label": np.array(LABELS, dtype=object)[label],
                "outcome": block[symbol, row, label].astype(np.int64),
            }
        )

    def model(self, month: str) -> Model:
        """The model that serves `month`: found, or trained and published now."""
        trained_for = self.services.settings.ensemble.serving(month)
        if trained_for not in self._models:
            found = self._found(trained_for)
            self._models[trained_for] = found or load_model(self.services.models, self._published(trained_for))
        return self._models[trained_for]

    @cached_property
    def factory(self) -> ModelFactory:
        """Makes this desk's models, from the beginning of history."""
        services = self.services
        market = self.market if self.whole else _load_market(services, self.market.calendar, context_from=None)
        return ModelFactory(
            self.panel if self.whole else build_panel(market),
            open_bar_digests(services.models, market),
            services.recipe(),
            services.models,
            services.settings.workers,
            services.progress,
        )

    def _row(self, session: pd.Timestamp) -> int:
        return int(self.panel.sessions.get_indexer(pd.DatetimeIndex([session]))[0])

    def _digest(self, row: int) -> str:
        """Of every feature that the row's forecasts were made from."""
        return self.panel.digest(slice(max(row + 1 - self.services.settings.ensemble.rows_seen, 0), row + 1))

    def _forecasts(self, row: int) -> SessionForecasts:
        model = self.model(month_of(self.panel.sessions[row]))
        return forecast_session(model, self.panel, row, data_digest=self._digest(row))

    def _is_fed(self, row: int) -> bool:
        """Some traded symbol has a bar to forecast from; without one, no model is worth training."""
        traded = [self.panel.symbols.index(symbol) for symbol in self.services.settings.market.symbols]
        return bool((self.panel.bar_age[traded, row] >= 1).any())

    def _found(self, month: str) -> Model | None:
        """The published model of this configuration and panel; None when there is none, or it is damaged."""
        bars = self.factory.bars_digest(month) if self.whole else None
        with reading(self.services.engine) as conn:
            known = find_model(conn, month=month, recipe=self.services.recipe().digest(), bars=bars)
        return None if known is None else self._loaded(known)

    def _earlier(self, month: str) -> Model | None:
        """The newest model of an earlier month that can forecast this panel, None when there is none."""
        with reading(self.services.engine) as conn:
            entries = earlier_models(conn, before=month, recipe=self.services.recipe().digest())
        return next((model for entry in entries if (model := self._loaded(entry))), None)

    def _loaded(self, known: ModelEntry) -> Model | None:
        """None when it was made for another panel, or is damaged."""
        if known.manifest["features"] != list(self.panel.features):
            return None
        try:
            return load_model(self.services.models, known.model_id)
        except ModelStoreError as error:
            logger.error("{}", error)
            with suppress(ModelStoreError):
                set_damaged_aside(self.services.models, known.model_id)
            return None

    def _published(self, month: str) -> str:
        logger.info("{}: training the models of the month", month)
        services = self.services
        model_id = self.factory.publish(month)
        manifest = services.models.manifest(model_id)
        with transaction(services.engine) as conn:
            write_model(conn, ModelEntry(model_id, month, services.clock.now(), manifest))
        logger.info("{}: model {} serves; {}", month, model_id, who_speaks(manifest))
        return model_id

    def _situation(self, row: int, account: Account, *, late: bool) -> Situation:
        session = self.panel.sessions[row]
        quotes = {
            symbol: Quote(self._close(symbol, self.market.calendar.previous(session, int(age))), int(age))
            for symbol, age in zip(self.panel.symbols, self.panel.bar_age[:, row], strict=True)
            if age >= 1
        }
        return Situation(
            session=session.date(),
            late=late,
            cash=account.cash,
            equity=account.equity,
            held=account.held,
            quotes=quotes,
        )

    def _close(self, symbol: str, session: pd.Timestamp) -> float:
        return float(self.market.bars[symbol]["close"].loc[session])


def open_desk(
    services: Services, calendar: SessionCalendar, *, last: pd.Timestamp, first: pd.Timestamp | None = None
) -> Desk:
    """The desk for sessions up to `last`, from the bars in the store.

    With `first`, the first session it will be asked for, only the rows are built that this takes: a tenth of the time.
    """
    stop = calendar.position(last) + 1
    known = SessionCalendar(calendar.exchange, calendar.sessions[:stop], calendar.opens[:stop], calendar.closes[:stop])
    if first is None:
        market = _load_market(services, known, context_from=None)
        return Desk(services, market, build_panel(market), whole=True)
    rows_before = max(services.settings.ensemble.rows_seen, outcome_sessions(services.settings.risk))
    start = known.sessions[max(known.position(first) - rows_before, 0)]
    market = _load_market(services, known, context_from=context_needed_from(known, start))
    return Desk(services, market, build_panel(market, start), whole=False)


def outcome_sessions(limits: RiskLimits) -> int:
    """How many sessions back outcomes are worked out again: until the longest label is known, and some more."""
    return limits.max_holding_sessions + CORRECTED_SESSIONS


def _load_market(services: Services, calendar: SessionCalendar, *, context_from: date | None) -> Market:
    settings, last = services.settings, calendar.sessions[-1]
    begin = settings.market.history_start
    panel, exchanges = (*settings.market.symbols, *settings.market.peers), context_symbols(settings.market.context)
    with reading(services.engine) as conn:
        bars = read_bars(conn, panel, first=begin)
        context = read_bars(conn, list(exchanges), first=begin if context_from is None else max(begin, context_from))
    return Market(
        calendar=calendar,
        bars={symbol: frame.loc[:last] for symbol, frame in bars.items()},
        context={symbol: (exchanges[symbol], frame.loc[:last]) for symbol, frame in context.items()},
        decision_time=settings.schedule.decision_time,
        delay_min=settings.feed.delay_min,
        limits=settings.risk,
    )


def home_calendar(settings: Settings, now: datetime) -> SessionCalendar:
    """Sessions of the traded exchange, from the start of history to a month from `now`."""
    last = now.date() + timedelta(days=31)
    return load_calendar(settings.market.exchange, first=settings.market.history_start, last=last)


def _traded(forecasts: Sequence[Forecast], label: str, symbols: Sequence[str]) -> dict[str, float | None]:
    """The label's probability of each symbol, None without a forecast."""
    said = {one.symbol: one.probability for one in forecasts if one.label == label}
    return {symbol: said.get(symbol) for symbol in symbols}
