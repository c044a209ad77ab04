"""One reconciliation: read the feed, then do all that is due, oldest first, each task in a transaction of its own.

`run-once` is one of these, `run` one after another; start, restart and catching up after a week off are the same path.
"""

from dataclasses import dataclass
from datetime import datetime

import pandas as pd
from loguru import logger
from sqlalchemy import Connection

from daemon.bars.ingest import ingest
from daemon.config.configurations import deciding
from daemon.config.settings import Settings
from daemon.errors import DaemonError
from daemon.health.failures import recorded, tell_recovery, waits_now
from daemon.models.serving import is_published
from daemon.models.shadows import look_beside
from daemon.models.watch import watch_live_loss
from daemon.notify.channels import announce
from daemon.notify.digest import week_ended
from daemon.notify.notices import digest_notice, halt_notices, ping_notice, signal_notice
from daemon.service.clock_watch import Trust
from daemon.service.witness import Witness
from daemon.services import Services
from daemon.sessions.decisions import write_decisions
from daemon.sessions.desk import Desk, home_calendar, open_desk, outcome_sessions
from daemon.sessions.due import Task, Timetable
from daemon.sessions.halt import follow_file
from daemon.sessions.orders import hand_over, unsettled_signals
from daemon.sessions.reopening import hoped_for, how_settled, reopen
from daemon.versions import deciding_version
from ensemble.sessions import SessionCalendar
from ensemble.trading.account import Account, open_account
from ensemble.trading.signals import Signal
from ensemble.windows import WindowError, month_of
from storage.account_store import write_settlement
from storage.bar_store import newest_sessions
from storage.configuration_store import keep_configuration
from storage.engine import StoreError, reading, transaction
from storage.model_store import ModelStoreError
from storage.outbox_store import Notice
from storage.outcome_store import write_outcomes
from storage.run_store import Run, RunStatus, done_runs, newest_done, recently_done, write_runs
from storage.signal_store import read_signals
from storage.tables import LIVE


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What one reconciliation did."""

    done: tuple[Task, ...]
    waiting: tuple[Task, ...]
    """Settlements whose bars the feed does not have yet."""
    next_wake: pd.Timestamp
    bears_out_clock: bool = False
    """Of the newest session that is over by the clock a bar has come."""


def reconcile(services: Services, *, trust: Trust = Trust.BORNE_OUT) -> Reconciled:
    """Does everything that is due at the clock's present instant; of a clock not trusted, only what the bars bear out.

    Raises ClockError, FeedError, StoreError, ModelStoreError, TrainingFailed or WindowError; what was committed before
    stays, and the next call goes on from there.
    """
    try:
        reconciled = _all_due_done(services, trust)
        services.nightly_backup.make_if_due(services, next_wake=reconciled.next_wake)
        if reconciled.done and services.report is not None:
            services.report.go(services)
        return reconciled
    finally:
        services.page.publish(services)
        services.courier.go(services, gives_up=trust is Trust.BORNE_OUT)
        services.mirror.go(services)


def _all_due_done(services: Services, trust: Trust) -> Reconciled:
    follow_file(services)
    hand_over(services)
    calendar = home_calendar(services.settings, services.clock.now())
    timetable = timetable_of(services.settings, calendar)
    now = pd.Timestamp(services.clock.now())
    tasks = _due(services, timetable, now)
    if not tasks:
        return Reconciled((), (), timetable.next_wake(now))
    with recorded(services, tasks[0]):
        report = ingest(services, calendar)
    logger.info("bars: {}", report.line())
    witness = Witness(timetable, now, _newest(services))
    tasks = witness.believed(tasks, trust, oldest_bar=services.settings.signals.max_bar_age_sessions)
    with recorded(services, tasks[0]):
        reopen(services, calendar)
    sessions = [task.session for task in tasks]
    with recorded(services, tasks[0]):
        desk = open_desk(services, calendar, first=min(sessions), last=max(sessions))
    done, waiting = [], []
    newest_settled = max((task.session for task in tasks if task.kind == "settle"), default=None)
    for task in tasks:
        services.alive()
        if task.kind == "settle" and task.session == newest_settled and hoped_for(desk, task.session):
            waits_now(services, task)
            waiting.append(task)
        else:
            _do(desk, task)
            done.append(task)
    if done and done[-1].kind == "settle":
        _prepare_following(services, calendar, done[-1].session)
    return Reconciled(tuple(done), tuple(waiting), timetable.next_wake(now), witness.missing == 0)


def _newest(services: Services) -> pd.Timestamp:
    with reading(services.engine) as conn:
        return max(newest_sessions(conn).values())


def prepare_ahead(services: Services) -> None:
    """What a kill or a failure has left of the evening: the model of the session after the newest settled one.

    By the ledger, not by the clock, which may be wrong: a model made too early would not know the last bars.
    """
    with reading(services.engine) as conn:
        settled = newest_done(conn, LIVE, "settle")
    if settled is not None:
        _prepare_following(services, home_calendar(services.settings, services.clock.now()), pd.Timestamp(settled))


def _prepare_following(services: Services, calendar: SessionCalendar, settled: pd.Timestamp) -> None:
    """In the evening, the model of the next session if it is not there yet: after the last session that another one
    serves, or when its training has failed before, or it was damaged. The morning has only half an hour. What fails is
    tried again when the decision needs it.
    """
    following = calendar.next(settled)
    serving = services.settings.ensemble.serving
    if serving(month_of(following)) == serving(month_of(settled)) and is_published(services, following):
        return
    try:
        open_desk(services, calendar, first=following, last=following).prepare(following, repairs=True)
    except (DaemonError, StoreError, ModelStoreError, WindowError) as error:
        logger.error("{}: the models were not made yet: {}", month_of(following), error)


def timetable_of(settings: Settings, calendar: SessionCalendar) -> Timetable:
    """The timetable of the configuration."""
    return Timetable(calendar, settings.schedule.decision_time, settings.feed.delay_min)


def _due(services: Services, timetable: Timetable, now: pd.Timestamp) -> list[Task]:
    with reading(services.engine) as conn:
        decided, settled = (done_runs(conn, LIVE, kind) for kind in ("decide", "settle"))
    _tell_passed_over(services, timetable.passed_over(decided=decided, settled=settled))
    return timetable.due(now, decided=decided, settled=settled)


def _tell_passed_over(services: Services, sessions: pd.DatetimeIndex) -> None:
    """A line, once, of the sessions that the calendar got when later ones were settled already."""
    new = set(sessions.date) - services.passed_over
    if new:
        days = ", ".join(map(str, sorted(new)))
        logger.warning("left out, for the calendar got them when later sessions were settled: {}", days)
        services.passed_over.update(new)


def _do(desk: Desk, task: Task) -> None:
    job = _Job(desk, task, desk.services.clock.now())
    with recorded(desk.services, task):
        detail = _decide(job) if task.kind == "decide" else _settle(job)
    logger.info("{} {:%Y-%m-%d}: {}", task.kind, task.session, detail)
    if task.kind == "decide":
        hand_over(desk.services)


@dataclass(frozen=True, slots=True)
class _Job:
    """One task being done at a desk."""

    desk: Desk
    task: Task
    started_at: datetime

    def end(self, conn: Connection, detail: str, *, events_known: int, status: RunStatus = RunStatus.DONE) -> None:
        """Into the ledger, with all that a replay needs: configuration, bars and account as known, the code."""
        services = self.desk.services
        tell_recovery(conn, services, self.task)
        run = Run(
            LIVE,
            self.task.kind,
            self.task.session.date(),
            status,
            self.started_at,
            services.clock.now(),
            detail,
            configuration=keep_configuration(conn, deciding(services.settings), seen_at=self.started_at),
            bars_known_at=self.desk.known_at,
            events_known=events_known,
            code_version=deciding_version(),
        )
        write_runs(conn, [run])

    def announce(self, conn: Connection, *notices: Notice) -> None:
        """Into the outbox, in the transaction of what they tell of."""
        for notice in notices:
            announce(conn, self.desk.services.settings, notice, at=self.desk.services.clock.now())


def _decide(job: _Job) -> str:
    desk, task, services = job.desk, job.task, job.desk.services
    stand_in = desk.prepare(task.session)
    beside = look_beside(desk, task.session)
    # Training may have taken until after the open, so clock, kill switch and account are read now.
    follow_file(services)
    with reading(services.engine) as conn:
        account = _account(desk, conn)
        unsettled = unsettled_signals(conn, desk.market.calendar, before=task.session.date())
    decision = desk.decide(task.session, account, decided_at=services.clock.now(), unsettled=unsettled)
    beside = beside.knowing(desk, decision)
    lines = [*map(describe_signal, decision.signals), *filter(None, (stand_in, decision.caution))]
    detail = "; ".join(lines)
    with transaction(services.engine) as conn:
        write_decisions(conn, LIVE, [decision], code_version=services.recipe().code_version)
        beside.write(conn, made_at=services.clock.now())
        job.announce(conn, signal_notice(decision.session, decision.signals, lines), ping_notice(decision.session))
        job.end(conn, detail, events_known=account.n_events)
    return detail


def _settle(job: _Job) -> str:
    desk, task, services = job.desk, job.task, job.desk.services
    with transaction(services.engine) as conn:
        account = _account(desk, conn)
        settlement = desk.settle(task.session, account, read_signals(conn, LIVE, task.session.date()))
        write_settlement(conn, LIVE, settlement)
        reach = outcome_sessions(services.settings.labels.barrier)
        recent = recently_done(conn, LIVE, "decide", until=task.session.date(), newest=reach)
        write_outcomes(conn, desk.outcomes(pd.DatetimeIndex(recent)), resolved_at=job.started_at)
        calendar = home_calendar(services.settings, services.clock.now())
        week = week_ended(conn, services.settings, calendar, task.session)
        job.announce(conn, *halt_notices(settlement.events, settlement.account))
        job.announce(conn, *([digest_notice(week)] if week else []))
        status, detail = how_settled(desk, settlement)
        job.end(conn, detail, events_known=account.n_events, status=status)
        watch_live_loss(conn, services)
    return detail


def _account(desk: Desk, conn: Connection) -> Account:
    """The live account. Raises DaemonError when it holds what is no longer traded: nothing would ever sell it."""
    account = desk.services.book.read(conn, LIVE) or open_account(desk.services.settings.risk)
    orphans = sorted(set(account.held) - set(desk.services.settings.market.symbols))
    if orphans:
        raise DaemonError(
            f"the account holds {', '.join(orphans)}, which market.symbols does not list; list it until it is sold."
        )
    return account


def describe_signal(signal: Signal) -> str:
    """One line, as in "RELIANCE.NS HOLD at 0.53 (BELOW_CONFIDENCE)", with what it is worth where the gate asks."""
    at = "" if signal.probability is None else f" at {signal.probability:.2f}"
    worth = "" if signal.expected_value_bp is None else f", worth {signal.expected_value_bp:.1f} bp"
    size = f" {signal.quantity}" if signal.quantity else ""
    return f"{signal.symbol} {signal.action}{size}{at}{worth} ({', '.join(signal.reasons)})"
