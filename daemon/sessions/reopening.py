"""A session that was settled without a bar, and the bar comes: that session and those after it are settled again.

Each from what was known when it was settled first, and the late bars; by the settings of then and by the signals that
were decided, which never change. What had been commanded in between is commanded again. All of it is one transaction:
whoever looks sees the account as it was, or as it would be had the bars come in time.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime

import pandas as pd
from loguru import logger
from sqlalchemy import Connection

from daemon.config.configurations import restored
from daemon.config.settings import Settings
from daemon.errors import ConfigError
from daemon.notify.channels import announce
from daemon.notify.notices import halt_notices, reopening_notice
from daemon.services import Services
from daemon.sessions.desk import Desk, Past, open_desk, outcome_sessions
from daemon.sessions.due import REOPENS_WITHIN
from daemon.versions import deciding_version
from ensemble.counted import counted
from ensemble.sessions import SessionCalendar
from ensemble.trading.account import Account, Direction, Settlement, Trade
from ensemble.trading.events import AccountEvent, EventKind, apply, replay_events, standing
from ensemble.trading.signals import Reason, Signal
from storage.account_store import read_events, take_back, write_events, write_settlement
from storage.configuration_store import read_configurations
from storage.engine import reading, transaction
from storage.late_bars import came_late
from storage.outcome_store import write_outcomes
from storage.run_store import Run, RunStatus, done_runs, newest_done, runs_between, write_runs
from storage.sightings import next_look
from storage.signal_store import read_signals
from storage.tables import LIVE


def hoped_for(desk: Desk, session: pd.Timestamp) -> list[str]:
    """The traded symbols without a bar of `session` that had one the session before.

    One that stopped earlier, suspended or delisted, is not waited for.
    """
    before, bars = desk.market.calendar.previous(session), desk.market.bars
    traded = desk.services.settings.market.symbols
    return [one for one in traded if session not in bars[one].index and before in bars[one].index]


def how_settled(desk: Desk, settlement: Settlement) -> tuple[RunStatus, str]:
    """What the ledger is to say of a settlement: its status, and a line."""
    mark = settlement.mark
    trades = "".join(map(_describe_trade, settlement.trades))
    detail = f"equity {mark.equity:.2f}, {counted(mark.positions, 'position')}{trades}"
    missing = hoped_for(desk, pd.Timestamp(mark.session))
    if not missing:
        return RunStatus.DONE, detail
    return RunStatus.NO_DATA, f"{detail}; no bar of {', '.join(missing)} by {desk.known_at:%Y-%m-%d %H:%M}Z"


def _describe_trade(trade: Trade) -> str:
    verb = "sold" if trade.direction is Direction.LONG else "covered"
    return f"; {trade.symbol} {verb} at {trade.exit_price:.2f} ({trade.exit_reason})"


def reopen(services: Services, calendar: SessionCalendar) -> None:
    """Settles again whatever a bar came too late for. Raises StoreError and DaemonError; then nothing has changed."""
    late = _late(services)
    if not late:
        return
    first = late[0][0]
    again = list(_again(services, calendar, first))
    outcomes = _outcomes(services, calendar, again)
    with transaction(services.engine) as conn:
        settled = _settled_again(conn, services, again, late)
        write_outcomes(conn, outcomes, resolved_at=services.clock.now())
    logger.info("reopened {}: {}", first, settled)


def _late(services: Services) -> list[tuple[date, str]]:
    with reading(services.engine) as conn:
        settled = newest_done(conn, LIVE, "settle")
        if settled is None:
            return []
        return came_late(conn, LIVE, services.settings.market.symbols, since=settled - REOPENS_WITHIN)


@dataclass(frozen=True, slots=True)
class _Again:
    """A session to be settled again, and the desk as it was."""

    run: Run
    desk: Desk
    known: int
    """How many events there were when it was settled last."""
    late_known_at: datetime
    """Until when late bars are known at the desk."""

    def settled(self, settlement: Settlement, *, events_known: int, at: datetime) -> Run:
        """What the ledger says of it from now on."""
        status, detail = how_settled(self.desk, settlement)
        return replace(
            self.run,
            status=status,
            started_at=at,
            finished_at=at,
            detail=detail,
            events_known=events_known,
            code_version=deciding_version(),
            late_known_at=self.late_known_at,
        )


def _again(services: Services, calendar: SessionCalendar, first: date) -> Iterator[_Again]:
    """Every settled session from `first` on, oldest first."""
    with reading(services.engine) as conn:
        runs = [run for run in runs_between(conn, LIVE, first, date.max) if run.kind == "settle"]
        configurations = read_configurations(conn)
        late_known_at = next_look(conn, services.clock.now())
    for run in runs:
        if run.bars_known_at is None or run.events_known is None:
            continue  # settled by a version that opened no session again; none of them is younger than one that can be
        settings = _settings_of(run, configurations, services.settings)
        past = Past(run.bars_known_at, late_known_at=late_known_at)
        session = pd.Timestamp(run.session)
        desk = open_desk(replace(services, settings=settings), calendar, first=session, last=session, past=past)
        yield _Again(run, desk, run.events_known, late_known_at)
        services.alive()


def _settings_of(run: Run, kept: Mapping[str, str], now: Settings) -> Settings:
    try:
        return restored(kept[run.configuration or ""], now)
    except (KeyError, ConfigError):
        logger.warning("settle {}: its settings of then cannot be read; those of now take their place", run.session)
        return now


def _outcomes(services: Services, calendar: SessionCalendar, again: Sequence[_Again]) -> pd.DataFrame:
    """What came of all decided sessions that the late bars may tell of."""
    first, last = (pd.Timestamp(one.run.session) for one in (again[0], again[-1]))
    reach = outcome_sessions(services.settings.labels.barrier)
    with reading(services.engine) as conn:
        decided = pd.DatetimeIndex(sorted(pd.Timestamp(day) for day in done_runs(conn, LIVE, "decide")))
    recent = decided[(decided >= calendar.previous(first, reach)) & (decided <= last)]
    return open_desk(services, calendar, first=first, last=last).outcomes(recent)


@dataclass
class _Redone:
    """What is to be written once all is settled again."""

    account: Account
    events: list[AccountEvent]
    """Besides those of the settlements."""
    settlements: list[Settlement] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)

    def command(self, event: AccountEvent) -> None:
        """What a person commanded is commanded again; the end of a halt that has not begun this time is no more."""
        resumed = event.kind is EventKind.RESUMED
        halts = [hold.reason for hold in self.account.holds]
        if resumed and event.reason == Reason.DRAWDOWN_HALT and Reason.DRAWDOWN_HALT not in halts:
            return
        amount = self.account.equity if resumed else event.amount
        again = replace(event, number=self.account.n_events + 1, amount=amount)
        self.account = apply(self.account, again)
        self.events.append(again)

    def settle(self, one: _Again, signals: Sequence[Signal], at: datetime) -> None:
        known = self.account.n_events
        settlement = one.desk.settle(pd.Timestamp(one.run.session), self.account, signals)
        self.runs.append(one.settled(settlement, events_known=known, at=at))
        self.settlements.append(settlement)
        self.account = settlement.account

    def write(self, conn: Connection) -> None:
        take_back(conn, LIVE, self.runs[0].session)
        write_settlement(conn, LIVE, *self.settlements)
        write_events(conn, LIVE, self.events)
        write_runs(conn, self.runs)


def _settled_again(
    conn: Connection, services: Services, again: Sequence[_Again], late: Sequence[tuple[date, str]]
) -> str:
    """What it came to, in a line."""
    told, now = list(read_events(conn, LIVE)), services.clock.now()
    kept = again[0].known
    reopened = AccountEvent(
        again[0].run.session,
        len(told) + 1,
        EventKind.REOPENED,
        amount=None if kept else told[0].amount,
        kept=kept,
    )
    void = [event for event in standing(told, told) if event.number > kept]
    commands = [event for event in void if event.commanded_at is not None]
    redone = _Redone(replay_events([*told, reopened]), [reopened])
    for one in again:
        while commands and commands[0].number <= one.known:
            redone.command(commands.pop(0))
        redone.settle(one, read_signals(conn, LIVE, one.run.session), now)
    for event in commands:
        redone.command(event)
    redone.write(conn)
    symbols = ", ".join(sorted({symbol for _, symbol in late}))
    line = (
        f"bars of {symbols} came; {counted(len(again), 'session')} settled again, "
        f"equity {redone.account.equity:.2f} instead of {replay_events(told).equity:.2f}"
    )
    announce(conn, services.settings, reopening_notice(reopened.number, reopened.session, line), at=now)
    for notice in halt_notices(_new_halts(redone.settlements, void), redone.account):
        announce(conn, services.settings, notice, at=now)
    return line


def _new_halts(settlements: Iterable[Settlement], void: Iterable[AccountEvent]) -> Iterator[AccountEvent]:
    """The halts that there were not before: the others have been told."""
    told = {(event.session, event.reason, event.symbol) for event in void if event.kind is EventKind.HALTED}
    for settlement in settlements:
        for event in settlement.events:
            if event.kind is EventKind.HALTED and (event.session, event.reason, event.symbol) not in told:
                yield event
