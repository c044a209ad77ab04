"""The backtest: the daemon's own decide and settle, session after session, under a clock of the past."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import pandas as pd
from loguru import logger
from sqlalchemy import Connection

from daemon.desk import Decision, Desk, home_calendar, open_desk
from daemon.errors import DaemonError
from daemon.ingest import ingest
from daemon.reconcile import write_decision
from daemon.services import Services
from ensemble.sessions import SessionCalendar
from ensemble.trading.account import Settlement, open_account
from storage.account_store import write_settlement
from storage.backtest_store import clear_backtest
from storage.bar_store import newest_sessions
from storage.engine import reading, transaction
from storage.feeds import FeedError
from storage.outcome_store import read_outcomes, write_outcomes
from storage.tables import Origin

BACKTEST: Origin = "backtest"


@dataclass(frozen=True, slots=True)
class Replayed:
    """One session as the daemon would have lived it."""

    decision: Decision
    settlement: Settlement


def backtest(services: Services, *, first: date, last: date) -> tuple[Replayed, ...]:
    """Replays the sessions from `first` to `last` and stores them as origin "backtest" in place of the previous one.

    Raises DaemonError when there is no session between them whose bar is known, and all that `reconcile` raises.
    """
    calendar = home_calendar(services.settings, services.clock.now())
    _refresh(services, calendar, last)
    sessions = calendar.between(first, _newest(services, last))
    if sessions.empty:
        raise DaemonError(
            f"no session with a bar lies between {first} and {last}; choose a range inside the stored bars."
        )
    desk = open_desk(services, calendar, last=sessions[-1])
    replayed = _replay(desk, sessions)
    _store(desk, replayed)
    return replayed


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
    account = open_account(desk.services.settings.risk)
    replayed: list[Replayed] = []
    for session in sessions:
        decision = desk.decide(session, account, late=False)
        settlement = desk.settle(session, account, decision.signals)
        account = settlement.account
        replayed.append(Replayed(decision, settlement))
    return tuple(replayed)


def _store(desk: Desk, replayed: Sequence[Replayed]) -> None:
    services = desk.services
    calendar = desk.market.calendar
    decisions = calendar.decisions(desk.market.decision_time)
    sessions = pd.DatetimeIndex([pd.Timestamp(one.decision.session) for one in replayed])
    with transaction(services.engine) as conn:
        clear_backtest(conn)
        for one in replayed:
            decided_at = decisions[calendar.position(one.decision.session)].to_pydatetime()
            write_decision(
                conn,
                BACKTEST,
                one.decision,
                decided_at=decided_at,
                code_version=services.recipe().code_version,
            )
            write_settlement(conn, BACKTEST, one.settlement)
        write_outcomes(conn, desk.outcomes(sessions), resolved_at=services.clock.now())


def scored_forecasts(conn: Connection, replayed: Sequence[Replayed]) -> pd.DataFrame:
    """The replayed forecasts and what came of them: session, symbol, label, probability, outcome (NaN: not known)."""
    said = pd.DataFrame(
        [
            (pd.Timestamp(one.session), one.symbol, one.label, one.probability)
            for replay in replayed
            for one in replay.decision.said.forecasts
        ],
        columns=["session", "symbol", "label", "probability"],
    )
    first, last = replayed[0].decision.session, replayed[-1].decision.session
    return said.merge(read_outcomes(conn, first=first, last=last), how="left", on=["session", "symbol", "label"])
