"""The desk: the market as known, its panel and its models. Live and backtest sit at the same one."""

from calendar import monthrange
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from functools import cached_property

import numpy as np
import pandas as pd
from loguru import logger

from daemon.bars.demergers import price_steps, read_demergers
from daemon.bars.market import Seen, load_market
from daemon.config.settings import Settings
from daemon.models.factory import ModelFactory
from daemon.models.first_seen import open_bar_digests
from daemon.models.past_serving import PastServing
from daemon.models.serving import Serving
from daemon.models.shelf import Shelf
from daemon.services import Services
from daemon.sessions.beliefs import Experience, beliefs_about, open_experience
from daemon.sessions.caution import Caution, caution_for
from daemon.sessions.decisions import Decision
from daemon.training.trainer import OutOfTime, no_hurry
from ensemble.features.matrix import Market, build_panel, context_needed_from
from ensemble.forecasts import Forecast
from ensemble.labels import LABELS
from ensemble.model import Model, forecast_rows, member_odds
from ensemble.panel import Panel
from ensemble.session_forecasts import ForecastBlock, SessionForecasts, nothing_said
from ensemble.sessions import SessionCalendar
from ensemble.stacking.history import MemberOdds
from ensemble.trading.account import Account, Settlement, settle
from ensemble.trading.actions import held_actions
from ensemble.trading.barrier import BarrierOptions
from ensemble.trading.demerger_table import Demerger
from ensemble.trading.gate import Beliefs
from ensemble.trading.session_bars import SessionBars
from ensemble.trading.signals import Quote, Signal, Situation, decide_signals
from ensemble.trading.situation import situation_of
from ensemble.windows import month_of
from storage.engine import reading
from storage.model_store import ModelStoreError
from storage.sightings import next_look

TRAINING_ENDS_BEFORE_OPEN = pd.Timedelta(minutes=2)
"""A new model is not worth a late decision where an older one can serve."""
CORRECTED_SESSIONS = 30
"""How far back outcomes are worked out again, because a feed may still correct their bars."""


@dataclass(frozen=True, slots=True)
class Past:
    """What a desk of the past has at hand: the bars as known at an instant, and the model that spoke then."""

    known_at: datetime
    model: Model | None = None
    missing: str = "nothing that is stored says which model spoke; restore a backup."
    """Why there is no model."""
    late_known_at: datetime | None = None
    """It also knew the bars that came between then and this instant for the first time."""

    def spoke(self) -> Model:
        """The model. Raises ModelStoreError where there is none: a desk of the past finds and trains nothing."""
        if self.model is None:
            raise ModelStoreError(self.missing)
        return self.model


@dataclass(frozen=True, slots=True)
class Standpoint:
    """What is known when a session is decided."""

    said: SessionForecasts
    situation: Situation
    caution: Caution


@dataclass(frozen=True)
class Desk:
    """Decides and settles the sessions of one panel; models are made when first needed, and kept."""

    services: Services
    market: Market
    known_at: datetime
    """Every bar in the store that was seen until then is known here, as it was then."""
    start: pd.Timestamp | None = None
    """The panel's first session. Without one it is built from the beginning of history, as for a backtest, and takes
    only models of the bars as they are now; the live desk takes the newest published for the month, whatever was
    corrected since."""
    past: Past | None = None
    _months: dict[str, tuple[int, ForecastBlock]] = field(default_factory=dict)
    """Month -> its first row, and what was said about it."""

    def prepare(self, session: pd.Timestamp, *, repairs: bool = False) -> str:
        """Makes and promotes the model that `decide` will need, which may take long; none without bars to go by.

        A training that fails, or is not done before the session opens, leaves the newest earlier model serving, until
        the next desk tries again: then a line says so, which is empty otherwise. So does a damaged model, unless it is
        `repairs` that is asked for. Raises TrainingFailed when there is no earlier model.
        """
        return self.serving.prepare(session, repairs=repairs) if self.is_fed(session) else ""

    def prepare_all(self, sessions: pd.DatetimeIndex) -> None:
        """Trains what the models of all these sessions miss, all at once: no core waits for the end of a month."""
        fed = [session for session in sessions if self.is_fed(session)]
        months = dict.fromkeys(self.services.settings.ensemble.serving(month_of(session)) for session in fed)
        self.past_serving.prepare(list(months))

    def decide(
        self, session: pd.Timestamp, account: Account, *, decided_at: datetime, unsettled: Sequence[Signal] = ()
    ) -> Decision:
        """Forecasts and signals for `session`, from what was known at its decision time.

        `unsettled` are the signals of the sessions before it that `account` is not settled for yet.
        """
        asked = self.standpoint(session, account, decided_at=decided_at, unsettled=unsettled)
        settings, caution = self.services.settings, asked.caution
        probabilities = asked.said.probabilities(settings.signals.label)
        signals = decide_signals(
            {symbol: probabilities.get(symbol) for symbol in settings.market.symbols},
            asked.situation,
            options=caution.options,
            limits=caution.limits,
        )
        digest, n_features = self._digest(self._row(session)), len(self.panel.features)
        late = asked.situation.late
        return Decision(session.date(), decided_at, late, asked.said, signals, digest, n_features, caution.line)

    def standpoint(
        self, session: pd.Timestamp, account: Account, *, decided_at: datetime, unsettled: Sequence[Signal] = ()
    ) -> Standpoint:
        """What `decide` decides from."""
        row, calendar = self._row(session), self.market.calendar
        late = bool(pd.Timestamp(decided_at) >= calendar.opens[calendar.position(session)])
        said = self._said(row) if self.is_fed(session) else nothing_said(session.date())
        situation = self._situation(row, account, unsettled, late=late)
        beliefs = self._beliefs(session, said, account)
        return Standpoint(said, replace(situation, beliefs=beliefs), self._caution(session, decided_at))

    def settle(self, session: pd.Timestamp, account: Account, signals: Sequence[Signal]) -> Settlement:
        """The account after `session`."""
        settings = self.services.settings
        return settle(
            account,
            session=session.date(),
            bars=self._bars.on(session.date()),
            signals=signals,
            rules=settings.rules,
            actions=held_actions(account, self._bars, session.date(), self._demergers),
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
        """Of a desk of the past, or of a backtest: who speaks in `month`, trained and published where it is missing."""
        if self.past:
            return self.past.spoke()
        return self.past_serving.model(self.services.settings.ensemble.serving(month))

    def shadows(self, session: pd.Timestamp) -> list[Forecast]:
        """What the version that is scored beside the one that serves says of `session`; nothing where there is none."""
        rival = self.serving.rival(session)
        return [] if rival is None else self._said_by(rival, self._row(session)).forecasts()

    def is_fed(self, session: pd.Timestamp) -> bool:
        """Some traded symbol has a bar to forecast from; without one, no model is worth training."""
        traded = [self.panel.symbols.index(symbol) for symbol in self.services.settings.market.symbols]
        return bool((self.panel.bar_age[traded, self._row(session)] >= 1).any())

    @cached_property
    def serving(self) -> Serving:
        """Who serves the sessions of a live desk."""
        return Serving(self.services, self._shelf, self._before_open)

    @cached_property
    def past_serving(self) -> PastServing:
        """Who serves the months of a backtest."""
        return PastServing(self.services, self._shelf)

    @property
    def _shelf(self) -> Shelf:
        return Shelf(self.services, self.panel.features, lambda: self.factory, self.whole)

    @property
    def whole(self) -> bool:
        """Built from the beginning of history."""
        return self.start is None

    @cached_property
    def panel(self) -> Panel:
        """Built when it is first asked for: a settlement needs none."""
        return build_panel(self.market, self.start)

    @cached_property
    def _bars(self) -> SessionBars:
        """Of what is traded, all of them: a position may have been held for long."""
        return SessionBars({symbol: self.market.bars[symbol] for symbol in self.services.settings.market.symbols})

    @cached_property
    def _demergers(self) -> tuple[Demerger, ...]:
        settings = self.services.settings
        with reading(self.services.engine) as conn:
            return read_demergers(conn, settings, known_at=self.known_at)

    @cached_property
    def _experience(self) -> Experience:
        """What trades that could have been made earned; only one gate asks."""
        settings = self.services.settings
        first, label = self.panel.sessions[0], settings.signals.label
        steps = price_steps(self._demergers)
        return open_experience(self.market, first=first, label=label, limits=settings.risk, steps=steps)

    @cached_property
    def factory(self) -> ModelFactory:
        """Makes this desk's models, from the beginning of history."""
        services = self.services
        market = self.market if self.whole else load_market(services.engine, services.settings, self.market.calendar)
        return ModelFactory(
            self.panel if self.whole else build_panel(market),
            open_bar_digests(services.models, market),
            services.recipe(),
            services.models,
            services.settings.workers,
            services.progress,
            fit=services.fit,
        )

    def _caution(self, session: pd.Timestamp, decided_at: datetime) -> Caution:
        """Whether `session` is decided with care, as live forecasts did; a backtest has none that are live."""
        settings = self.services.settings
        if self.whole:
            return Caution(settings.signals, settings.risk)
        with reading(self.services.engine) as conn:
            return caution_for(conn, settings, session.date(), decided_at=decided_at)

    def _row(self, session: pd.Timestamp) -> int:
        return int(self.panel.sessions.searchsorted(session))

    def _digest(self, row: int) -> str:
        """Of every feature that the row's forecasts were made from."""
        return self.panel.digest(slice(max(row + 1 - self.services.settings.ensemble.rows_seen, 0), row + 1))

    def _speaker(self, session: pd.Timestamp) -> Model:
        return self.model(month_of(session)) if self.whole or self.past else self.serving.speaker(session)

    def _said(self, row: int) -> SessionForecasts:
        """Live, one session is asked about at a time; of the past, whose answers are kept, a month at once."""
        session = self.panel.sessions[row]
        if not self.whole:
            return self._said_by(self._speaker(session), row)
        month = month_of(session)
        if month not in self._months:
            rows, odds = self._kept_odds(month)
            self._months[month] = rows.start, self._block(self.model(month), rows, odds)
        first, block = self._months[month]
        return SessionForecasts(block, row - first)

    def _said_by(self, model: Model, row: int) -> SessionForecasts:
        rows = slice(row, row + 1)
        return SessionForecasts(self._block(model, rows, member_odds(model.members, self.panel, rows)), 0)

    def _block(self, model: Model, rows: slice, odds: MemberOdds) -> ForecastBlock:
        digests = [self._digest(row) for row in range(rows.start, rows.stop)]
        return forecast_rows(model, odds, self.panel, rows=rows, data_digests=digests)

    def _kept_odds(self, month: str) -> tuple[slice, MemberOdds]:
        """The month's rows, and what its speaker's members say about them, which is read where it is kept already."""
        trained_for = self.model(month).month
        try:
            return self.factory.month_odds(month, trained_for=trained_for)
        except ModelStoreError as error:
            logger.error("{} Making it again.", error)
            self.past_serving.remake(trained_for)
            return self.factory.month_odds(month, trained_for=trained_for)

    def _before_open(self) -> OutOfTime:
        """Out of time shortly before the next open that somebody waits for."""
        clock, opens = self.services.clock, self.market.calendar.opens
        ahead = opens[opens > pd.Timestamp(clock.now())]
        if not len(ahead):
            return no_hurry
        end = ahead[0] - TRAINING_ENDS_BEFORE_OPEN
        return lambda: bool(pd.Timestamp(clock.now()) >= end)

    def _beliefs(self, session: pd.Timestamp, said: SessionForecasts, account: Account) -> Beliefs:
        settings = self.services.settings
        if not said.count:
            return Beliefs()
        experience = self._experience if settings.signals.gate == "expected_value" else None
        return beliefs_about(said, self._speaker(session), experience, settings=settings, equity=account.equity)

    def _situation(self, row: int, account: Account, unsettled: Sequence[Signal], *, late: bool) -> Situation:
        session = self.panel.sessions[row].date()
        ages = dict(zip(self.panel.symbols, self.panel.bar_age[:, row].tolist(), strict=True))
        traded = self.services.settings.market.symbols
        quotes = {symbol: self._quote(symbol, session, ages[symbol]) for symbol in traded if ages[symbol] >= 1}
        return situation_of(account, session, quotes, late=late, unsettled=unsettled)

    def _quote(self, symbol: str, session: date, age: int) -> Quote:
        known = self.market.calendar.previous(session, age).date()
        by_volatility = self.services.settings.risk.sizing == "volatility"
        volatility = self._bars.volatility(symbol, known) if by_volatility else None
        return Quote(self._bars.close(symbol, known), age, volatility)


def open_desk(
    services: Services,
    calendar: SessionCalendar,
    *,
    last: pd.Timestamp,
    first: pd.Timestamp | None = None,
    past: Past | None = None,
) -> Desk:
    """The desk for sessions up to `last`, from the bars in the store: as they are, or as `past` knew them.

    With `first`, the first session it will be asked for, only the rows are built that this takes: a tenth of the time.
    """
    known = calendar.until(calendar.position(last) + 1)
    start = context_from = None
    if first is not None:
        rows_before = max(services.settings.ensemble.rows_seen, outcome_sessions(services.settings.labels.barrier))
        start = known.sessions[max(known.position(first) - rows_before, 0)]
        context_from = context_needed_from(known, start)
    known_at = past.known_at if past else _look(services)
    seen = Seen(known_at, past.late_known_at if past else None)
    market = load_market(services.engine, services.settings, known, context_from=context_from, seen=seen)
    return Desk(services, market, known_at, start, past)


def _look(services: Services) -> datetime:
    with reading(services.engine) as conn:
        return next_look(conn, services.clock.now())


def outcome_sessions(barrier: BarrierOptions) -> int:
    """How many sessions back outcomes are worked out again: until the longest label is known, and some more."""
    return barrier.max_holding_sessions + CORRECTED_SESSIONS


def home_calendar(settings: Settings, now: datetime) -> SessionCalendar:
    """Sessions of the traded exchange, from the start of history to a month from `now` and more.

    To the end of a month: it is then the same one all month, and made once.
    """
    ahead = now.date() + timedelta(days=31)
    last = ahead.replace(day=monthrange(ahead.year, ahead.month)[1])
    return settings.calendar.load(settings.market.exchange, first=settings.market.history_start, last=last)
