"""The desk as it stood when a stored session was decided: its bars, settings, model and account."""

from dataclasses import dataclass, replace

import pandas as pd

from daemon.config.settings import Settings
from daemon.errors import DaemonError
from daemon.explaining.stored import Question, Stored
from daemon.models.loading import load_model
from daemon.services import Services
from daemon.sessions.caution import Caution
from daemon.sessions.desk import Desk, Past, Standpoint, home_calendar, open_desk
from daemon.verifying.replay import is_own, settings_of, settlements, unsettled_sessions
from ensemble.evaluation.attribution.contributions import Place
from ensemble.labels import LABELS
from ensemble.model import Model
from ensemble.trading.account import Account, open_account
from ensemble.trading.events import replay_events
from ensemble.trading.signals import Signal, decide_signals
from storage.configuration_store import read_configurations
from storage.engine import reading
from storage.sightings import next_look
from storage.signal_store import read_signals
from storage.tables import LIVE


@dataclass(frozen=True, slots=True)
class Then:
    """All that a stored row was made from, put together again."""

    settings: Settings
    desk: Desk
    model: Model
    place: Place
    known: Standpoint
    signals: tuple[Signal, ...]
    basis: str
    """From which bars and settings it was put together, in words."""
    other_code: str
    """By which code and libraries the row was made; empty where it is those of now."""


def put_together(services: Services, asked: Question, stored: Stored) -> Then:
    """Raises DaemonError, ModelStoreError or CalendarError where something that is needed is gone."""
    if stored.forecast is None:
        raise DaemonError("nothing was forecast, so there is nothing to take apart")
    settings, basis = _settings(services, stored)
    known_at = stored.run.bars_known_at if stored.run else None
    if known_at is None:
        with reading(services.engine) as conn:
            known_at = next_look(conn, services.clock.now())
    model = load_model(services.models, stored.forecast.model_id)
    session = pd.Timestamp(asked.session)
    calendar = home_calendar(settings, services.clock.now())
    then = replace(services, settings=settings)
    desk = open_desk(then, calendar, first=session, last=session, past=Past(known_at, model))
    account, unsettled = _account(services, asked, stored, settings)
    known = desk.standpoint(session, account, decided_at=stored.decided_at, unsettled=unsettled)
    if asked.origin != LIVE:  # an alarm of live losses is no affair of a backtest
        known = replace(known, caution=Caution(settings.signals, settings.risk))
    probabilities = known.said.probabilities(settings.signals.label)
    signals = decide_signals(
        {symbol: probabilities.get(symbol) for symbol in settings.market.symbols},
        known.situation,
        options=known.caution.options,
        limits=known.caution.limits,
    )
    return Then(settings, desk, model, _place(desk, asked), known, signals, basis, _other_code(stored))


def _settings(services: Services, stored: Stored) -> tuple[Settings, str]:
    """Those of then where they are kept, and in words which they are."""
    run = stored.run
    if run is None or run.configuration is None:
        return services.settings, "the bars and settings of now, for those of then are not kept"
    with reading(services.engine) as conn:
        kept, unreadable = settings_of(read_configurations(conn), services)
    if run.configuration not in kept:
        raise unreadable.get(run.configuration, DaemonError(f"its configuration {run.configuration} is gone"))
    return kept[run.configuration], "the bars and settings of then"


def _other_code(stored: Stored) -> str:
    return "" if stored.run is None or is_own(stored.run) else stored.run.code_version or "a version that did not say"


def _account(services: Services, asked: Question, stored: Stored, settings: Settings) -> tuple[Account, list[Signal]]:
    """The account as it was known, and the signals that waited for their settlement."""
    events = stored.events
    if stored.run is None or stored.run.events_known is None:
        before = [event.number for event in events if event.session < asked.session]
        known = max(before, default=0)
    else:
        known = stored.run.events_known
    account = replay_events(event for event in events if event.number <= known)
    if not known:
        account = open_account(settings.risk)
    if asked.origin != LIVE:
        return account, []
    calendar = home_calendar(settings, services.clock.now())
    settled = settlements(events)
    sessions = unsettled_sessions(stored.decided, settled, known, calendar=calendar, before=asked.session)
    with reading(services.engine) as conn:
        return account, [signal for session in sessions for signal in read_signals(conn, LIVE, session)]


def _place(desk: Desk, asked: Question) -> Place:
    if asked.symbol not in desk.panel.symbols:
        raise DaemonError(f"{asked.symbol} is not in the panel of then")
    row = int(desk.panel.sessions.searchsorted(pd.Timestamp(asked.session)))
    return Place(desk.panel.symbols.index(asked.symbol), row, LABELS.index(asked.label))
