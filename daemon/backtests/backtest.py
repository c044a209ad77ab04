"""The backtest: the daemon's own decide and settle, session after session, under a clock of the past."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date

import pandas as pd
from loguru import logger
from sqlalchemy import Connection

from daemon.backtests.trial import trials_of_backtest
from daemon.bars.ingest import ingest
from daemon.errors import DaemonError
from daemon.evaluating.holdout import without_holdout
from daemon.services import Services
from daemon.sessions.decisions import Decision, write_decisions
from daemon.sessions.desk import Desk, home_calendar, open_desk
from ensemble.sessions import SessionCalendar
from ensemble.trading.account import Settlement, open_account
from storage.account_store import write_settlement
from storage.backtest_store import BACKTEST, ForecastSource, clear_backtest, read_sources
from storage.bar_store import newest_sessions
from storage.engine import reading, transaction
from storage.feeds import FeedError
from storage.outcome_store import read_scored, write_outcomes
from storage.promotion_store import add_model_events
from storage.trial_store import write_performance, write_trial


@dataclass(frozen=True, slots=True)
class Replayed:
    """One session as the daemon would have lived it."""

    decision: Decision
    settlement: Settlement


def backtest(services: Services, *, first: date, last: date) -> tuple[Replayed, ...]:
    """Replays the sessions from `first` to `last` and stores them as origin "backtest" in place of the previous one.

    Raises DaemonError when there is no session between them whose bar is known, and all that `reconcile` raises;
    the previous one then stays as it is.
    """
    calendar, sessions = stored_sessions(services, first=first, last=last)
    desk = open_desk(services, calendar, last=sessions[-1])
    desk.prepare_all(sessions)
    replayed = _replay(desk, sessions)
    _store(desk, replayed)
    return replayed


def stored_sessions(services: Services, *, first: date, last: date) -> tuple[SessionCalendar, pd.DatetimeIndex]:
    """The calendar, and its sessions from `first` to `last` whose bars are known, after a look at the feed.

    Raises DaemonError when there is none, FeedError when the feed fails and the stored bars end before `last`.
    """
    calendar = home_calendar(services.settings, services.clock.now())
    _refresh(services, calendar, last)
    sessions = calendar.between(first, _newest(services, last))
    if sessions.empty:
        raise DaemonError(
            f"no session with a bar lies between {first} and {last}; choose a range inside the stored bars."
        )
    return calendar, sessions


def _refresh(services: Services, calendar: SessionCalendar, last: date) -> None:
    """Bars up to date if the feed answers; if it does not, the stored ones must do."""
    try:
        logger.info("bars: {}", ingest(services, calendar).line())
    except FeedError as error:
        if _newest(services, last) < last:
            raise
        logger.warning("feed {} failed, going on with the stored bars: {}", services.feed.name, error)


def _newest(services: Services, last: date) -> date:
    """`last`, or the newest session that every traded symbol has a bar of."""
    with reading(services.engine) as conn:
        newest = newest_sessions(conn)
    symbols = services.settings.market.symbols
    return min([last, *(newest[symbol].date() if symbol in newest else date.min for symbol in symbols)])


def _replay(desk: Desk, sessions: pd.DatetimeIndex) -> tuple[Replayed, ...]:
    """Each session decided at its decision time and settled at its close, one account going through all."""
    services, calendar = desk.services, desk.market.calendar
    decided = calendar.decisions(desk.market.decision_time)[calendar.sessions.get_indexer(sessions)]
    account = open_account(services.settings.risk)
    replayed: list[Replayed] = []
    pairs = zip(sessions, decided.to_pydatetime(), strict=True)
    for session, decided_at in services.progress(pairs, total=len(sessions), label="replay"):
        decision = desk.decide(session, account, decided_at=decided_at)
        settlement = desk.settle(session, account, decision.signals)
        account = settlement.account
        replayed.append(Replayed(decision, settlement))
    return tuple(replayed)


def _store(desk: Desk, replayed: Sequence[Replayed]) -> None:
    """In one transaction, so that a backtest is stored as a whole or not at all."""
    services, code_version = desk.services, desk.services.recipe().code_version
    decisions = [one.decision for one in replayed]
    sessions = pd.DatetimeIndex([pd.Timestamp(decision.session) for decision in decisions])
    with transaction(services.engine) as conn:
        kept = _kept(conn, decisions, code_version)
        clear_backtest(conn, keep=kept)
        write_decisions(conn, BACKTEST, decisions, code_version=code_version, kept=kept)
        write_settlement(conn, BACKTEST, *(one.settlement for one in replayed))
        add_model_events(conn, BACKTEST, desk.past_serving.events)
        write_outcomes(conn, desk.outcomes(sessions), resolved_at=services.clock.now())
        _write_trials(conn, desk, sessions)


def _write_trials(conn: Connection, desk: Desk, sessions: pd.DatetimeIndex) -> None:
    """The ledger keeps how every label did before the hold-out, session by session, so that its best is discounted."""
    services = desk.services
    stored = read_scored(conn, BACKTEST, first=sessions[0].date(), last=sessions[-1].date())
    rows = without_holdout(stored, services.settings, now=services.clock.now())
    for trial, losses in trials_of_backtest(conn, services, desk.panel, rows, sessions=sessions):
        write_trial(conn, trial)
        write_performance(conn, trial.trial_id, losses, within=(sessions[0].date(), sessions[-1].date()))


def _kept(conn: Connection, decisions: Sequence[Decision], code_version: str) -> Collection[date]:
    """The sessions whose forecasts are stored already, made by the same model from the same features."""
    stored = read_sources(conn)
    return {one.session for one in decisions if stored.get(one.session) == _source(one, code_version)}


def _source(decision: Decision, code_version: str) -> ForecastSource:
    said = decision.said
    return ForecastSource(
        said.block.model_id,
        decision.data_digest,
        code_version,
        decision.decided_at,
        forecasts=said.count,
        member_forecasts=said.member_count,
    )


def scored_forecasts(conn: Connection, replayed: Sequence[Replayed]) -> pd.DataFrame:
    """The replayed forecasts and what came of them: session, symbol, label, probability, outcome (NaN: not known)."""
    first, last = replayed[0].decision.session, replayed[-1].decision.session
    return read_scored(conn, BACKTEST, first=first, last=last)
