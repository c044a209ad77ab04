"""Is the daemon well? Judged by what the ledger holds, the clock and the settings, so whoever can read can judge.

Nothing is asked of the process itself: one that is dead, hangs or was never started leaves a session overdue, which is
what counts.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum

import pandas as pd
from sqlalchemy import Connection, select

from daemon.bars.close_check import difference_text
from daemon.config.settings import Settings
from daemon.models.standing import is_chosen, serving_event
from daemon.sessions.caution import CAREFUL_SESSIONS
from daemon.sessions.desk import home_calendar
from daemon.sessions.due import REOPENS_WITHIN, Task, Timetable
from daemon.sessions.halt import holds_in_force, next_session
from ensemble.counted import counted
from ensemble.trading.account import Account
from ensemble.trading.holdings import Hold
from ensemble.windows import month_of
from storage.feed_store import CloseCheck, FeedState, failing_feeds, read_close_checks
from storage.feeds.breaker import is_shut
from storage.mirror_spool import MirrorState, read_mirror
from storage.outbox_store import LONGEST_WAIT, count_waiting
from storage.promotion_store import ModelEvent, ModelEventKind, read_model_events
from storage.quarantine_store import HeldBars, read_held
from storage.run_store import Run, done_runs, failed_runs, runs_without_data
from storage.tables import LIVE, forecasts, models
from storage.watch_store import (
    DriftRow,
    ForecastDriftRow,
    LiveLoss,
    newest_drift,
    newest_forecast_drift,
    read_live_losses,
)

CALENDAR_WARNING = timedelta(days=45)
DIFFERENCES_TOLD = timedelta(days=10)
"""Of an older session the two providers are not compared again, so that nothing would end the finding."""


class Ill(StrEnum):
    """What can be wrong. The first four make the daemon unhealthy, the others are to be known."""

    NOTHING_DONE = "NOTHING_DONE"
    """No session was ever decided, and one should have been."""
    OVERDUE = "OVERDUE"
    """A session is not decided, or one is not settled though the next has been due."""
    FAILING = "FAILING"
    """A job that is due fails, for longer than health.grace_min."""
    CLOCK = "CLOCK"
    """The clock stands before what the ledger has done, or beyond every calendar."""
    RETRYING = "RETRYING"
    """A job that is due has failed just now."""
    WAITING = "WAITING"
    """A session is not settled because its bars have not come."""
    NO_DATA = "NO_DATA"
    """A session was settled without a bar that did not come; it is settled again should the bar come."""
    HALTED = "HALTED"
    """No position is opened, in one symbol or in any."""
    STAND_IN = "STAND_IN"
    """A model of an earlier month speaks."""
    MODEL_CHOSEN = "MODEL_CHOSEN"
    """A person said which version serves, or one waits for a person."""
    FEATURE_DRIFT = "FEATURE_DRIFT"
    """The features look like none that the version that spoke has learnt from."""
    FORECAST_DRIFT = "FORECAST_DRIFT"
    """The forecasts look like none that the version that spoke has made out of sample."""
    LIVE_LOSS = "LIVE_LOSS"
    """Live forecasts lost more than they said they would, some sessions ago at most."""
    FEED_SHUT = "FEED_SHUT"
    """The provider of the bars failed so often, or refused, that it is left in peace for a while."""
    CLOSES_DIFFER = "CLOSES_DIFFER"
    """Two providers say different closes."""
    NOT_MIRRORED = "NOT_MIRRORED"
    """The bucket has lacked something for hours: a lost machine could not be rebuilt as it is."""
    HELD_BARS = "HELD_BARS"
    """The newest bars of a traded symbol or a peer are refused, and nobody has said whether they are true."""
    CALENDAR_ENDS = "CALENDAR_ENDS"
    """The known holidays end soon, or have ended and sessions are provisional."""


UNHEALTHY = frozenset({Ill.NOTHING_DONE, Ill.OVERDUE, Ill.FAILING, Ill.CLOCK})


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, or to be known."""

    ill: Ill
    text: str
    since: datetime | None = None

    @property
    def unhealthy(self) -> bool:
        """Somebody has to look now."""
        return self.ill in UNHEALTHY


@dataclass(frozen=True, slots=True)
class Ledger:
    """What the database says that health depends on."""

    decided: Collection[date] = ()
    settled: Collection[date] = ()
    failed: Sequence[Run] = ()
    """Jobs whose last attempt failed, with when the first one did."""
    no_data: Sequence[Run] = ()
    """Sessions settled without a bar, which may still come."""
    account: Account | None = None
    speaker: tuple[date, str] | None = None
    """The newest session with live forecasts, and the month of the model that spoke."""
    unsent: int = 0
    """Messages that no channel has taken yet."""
    feeds: Sequence[FeedState] = ()
    """Providers that fail."""
    differences: Sequence[CloseCheck] = ()
    """Closes on which two providers differ."""
    mirror: MirrorState = field(default_factory=MirrorState)
    """How far the bucket is."""
    versions: Sequence[ModelEvent] = ()
    """What happened to the versions of the models."""
    losses: Sequence[LiveLoss] = ()
    """How live forecasts did in the last sessions, newest first."""
    drift: DriftRow | None = None
    """How far the features of the newest decision are from what was learnt from."""
    held: Sequence[HeldBars] = ()
    """Symbols whose newest bars are refused."""
    forecast_drift: ForecastDriftRow | None = None
    """How far the newest forecasts are from what their speaker used to say."""


@dataclass(frozen=True, slots=True)
class Health:
    """The state of the daemon at an instant."""

    findings: tuple[Finding, ...]
    overdue: tuple[Task, ...]
    """Due for longer than they may be."""

    @property
    def healthy(self) -> bool:
        """Nothing is wrong that somebody has to look at now."""
        return not any(finding.unhealthy for finding in self.findings)


def read_ledger(conn: Connection, account: Account | None, label: str) -> Ledger:
    """All that `judge` goes by; `account` is the live one, `label` the one that is traded."""
    newest = (
        select(forecasts.c.session, models.c.month)
        .join(models, models.c.model_id == forecasts.c.model_id)
        .where(forecasts.c.origin == LIVE)
        .order_by(forecasts.c.session.desc(), models.c.month)
    )
    speaker = conn.execute(newest.limit(1)).first()
    settled = done_runs(conn, LIVE, "settle")
    return Ledger(
        done_runs(conn, LIVE, "decide"),
        settled,
        failed_runs(conn, LIVE),
        runs_without_data(conn, LIVE, since=max(settled) - REOPENS_WITHIN) if settled else (),
        account,
        None if speaker is None else (speaker.session, speaker.month),
        count_waiting(conn),
        failing_feeds(conn),
        read_close_checks(conn),
        read_mirror(conn),
        read_model_events(conn, LIVE),
        read_live_losses(conn, label, newest=CAREFUL_SESSIONS),
        newest_drift(conn),
        read_held(conn),
        newest_forecast_drift(conn, label),
    )


def judge(ledger: Ledger, settings: Settings, now: datetime) -> Health:
    """The health at `now`. Pure: the same ledger, settings and instant give the same."""
    try:
        calendar = home_calendar(settings, now)
        timetable = Timetable(calendar, settings.schedule.decision_time, settings.feed.delay_min)
        tasks = timetable.due(pd.Timestamp(now), decided=ledger.decided, settled=ledger.settled)
        opening = next_session(calendar, now)
    except (ValueError, OverflowError, IndexError) as error:
        return Health((Finding(Ill.CLOCK, f"the clock says {now:%Y-%m-%d %H:%M}Z: {error}"),), ())
    late_from = _late_from(tasks, timetable)
    late = pd.Timestamp(now) - pd.Timedelta(minutes=settings.health.grace_min)
    overdue = tuple(task for task, begins in zip(tasks, late_from, strict=True) if begins < late)
    findings = [
        *_clock(ledger, now),
        *_overdue(ledger, overdue),
        *_failing(ledger, tasks, now, settings.health.grace_min),
        *_waiting(ledger, tasks, overdue),
        *(Finding(Ill.NO_DATA, f"settle {run.session}: {run.detail}", run.finished_at) for run in ledger.no_data),
        *(Finding(Ill.HALTED, hold_text(hold)) for hold in holds_in_force(ledger.account, opening)),
        *_stand_in(ledger, settings),
        *_chosen(ledger),
        *_losses(ledger),
        *_drift(ledger),
        *_forecast_drift(ledger),
        *_feeds(ledger, settings, now),
        *_mirror(ledger, settings, now),
        *_held(ledger, settings),
        *_calendar_end(settings, now.date()),
    ]
    return Health(tuple(sorted(findings, key=lambda finding: not finding.unhealthy)), overdue)


def lacking_text(state: MirrorState, now: datetime) -> str:
    """What the bucket has lacked for longer than the daemon waits between two attempts; empty where it does not."""
    if state.waiting_since is None or now - state.waiting_since <= LONGEST_WAIT:
        return ""
    return f"the bucket lacks what came since {state.waiting_since:%Y-%m-%d %H:%M}Z: {state.why or 'not tried yet'}"


def hold_text(hold: Hold) -> str:
    """As in "nothing is entered (DRAWDOWN_HALT since 2021-10-01, 12 sessions left)"."""
    until = "until `resume`" if hold.sessions_left is None else f"{counted(hold.sessions_left, 'session')} left"
    note = f": {hold.note}" if hold.note else ""
    what = hold.symbol or "nothing"
    return f"{what} is {'not ' if hold.symbol else ''}entered ({hold.reason} since {hold.since}, {until}){note}"


def _late_from(tasks: Sequence[Task], timetable: Timetable) -> Iterator[pd.Timestamp]:
    """From when on each is late: a decision at once, a settlement once the next session should have been decided."""
    calendar = timetable.calendar
    decisions = calendar.decisions(timetable.decision_time)  # once: after a clock's leap by years there are thousands
    for task in tasks:
        yield task.due_at if task.kind == "decide" else decisions[calendar.position(task.session) + 1]


def _clock(ledger: Ledger, now: datetime) -> Iterator[Finding]:
    newest = max(ledger.decided, default=None)
    if newest is not None and now.date() < newest - timedelta(days=1):
        yield Finding(Ill.CLOCK, f"the clock says {now:%Y-%m-%d %H:%M}Z, and session {newest} is decided already")


def _overdue(ledger: Ledger, overdue: Sequence[Task]) -> Iterator[Finding]:
    if not overdue:
        return
    since = overdue[0].due_at.to_pydatetime()
    if not ledger.decided:
        yield Finding(Ill.NOTHING_DONE, f"no session was ever decided; {_name(overdue[0])} was due", since)
        return
    more = f" and {len(overdue) - 1} more" if len(overdue) > 1 else ""
    text = f"{_name(overdue[0])}{more} not done, due since {overdue[0].due_at:%Y-%m-%d %H:%M}Z"
    yield Finding(Ill.OVERDUE, text, since)


def _failing(ledger: Ledger, tasks: Sequence[Task], now: datetime, grace_min: int) -> Iterator[Finding]:
    due = {(task.kind, task.session.date()) for task in tasks}
    for run in ledger.failed:
        if (run.kind, run.session) in due:
            long = now - run.started_at > timedelta(minutes=grace_min)
            text = f"{run.kind} {run.session} fails since {run.started_at:%Y-%m-%d %H:%M}Z: {run.detail}"
            yield Finding(Ill.FAILING if long else Ill.RETRYING, text, run.started_at)


def _waiting(ledger: Ledger, tasks: Sequence[Task], overdue: Sequence[Task]) -> Iterator[Finding]:
    failed, late = {(run.kind, run.session) for run in ledger.failed}, set(overdue)
    for task in tasks:
        if task.kind == "settle" and task not in late and (task.kind, task.session.date()) not in failed:
            yield Finding(Ill.WAITING, f"{_name(task)} waits for its bars", task.due_at.to_pydatetime())


def _stand_in(ledger: Ledger, settings: Settings) -> Iterator[Finding]:
    """Where the newest version should serve and nobody said otherwise."""
    if ledger.speaker is not None and settings.promotion.policy == "newest" and not is_chosen(ledger.versions):
        session, month = ledger.speaker
        wanted = settings.ensemble.serving(month_of(pd.Timestamp(session)))
        if month < wanted:
            yield Finding(Ill.STAND_IN, f"the model of {month} spoke for {session}; that of {wanted} is not there")


def _chosen(ledger: Ledger) -> Iterator[Finding]:
    serves = serving_event(ledger.versions)
    if serves is not None and is_chosen(ledger.versions):
        text = f"{serves.model_id} serves since {serves.session}, {serves.kind} by {serves.actor}: {serves.note}"
        yield Finding(Ill.MODEL_CHOSEN, text, serves.at)
    newest = next((one for one in reversed(ledger.versions) if one.kind is not ModelEventKind.JUDGED), None)
    if newest is not None and newest.kind is ModelEventKind.HELD:
        yield Finding(Ill.MODEL_CHOSEN, f"{newest.model_id} waits since {newest.session}: {newest.note}", newest.at)


def _losses(ledger: Ledger) -> Iterator[Finding]:
    alarm = next((one for one in ledger.losses if one.alarm), None)
    if alarm is not None:
        text = f"{alarm.label} lost {alarm.excess:.4f} nats a session more than was expected, found {alarm.session}"
        yield Finding(Ill.LIVE_LOSS, text, alarm.watched_at)


def _drift(ledger: Ledger) -> Iterator[Finding]:
    if ledger.drift is not None and ledger.drift.is_unusual:
        one = ledger.drift
        text = (
            f"the features of the 30 sessions to {one.session} are {one.drift_index:.2f} from what {one.model_id} has "
            f"learnt from, {one.most_usual:.2f} at most is usual; furthest {', '.join(one.furthest)}"
        )
        yield Finding(Ill.FEATURE_DRIFT, text, one.watched_at)


def _forecast_drift(ledger: Ledger) -> Iterator[Finding]:
    if ledger.forecast_drift is not None and ledger.forecast_drift.is_unusual:
        one = ledger.forecast_drift
        text = (
            f"the forecasts of {one.label} of the 30 sessions to {one.session} are {one.distance:.2f} from what "
            f"{one.model_id} used to say, {one.limit_distance:.2f} at most is chance"
        )
        yield Finding(Ill.FORECAST_DRIFT, text, one.watched_at)


def _feeds(ledger: Ledger, settings: Settings, now: datetime) -> Iterator[Finding]:
    for state in ledger.feeds:
        if state.shut_until is not None and is_shut(state, now):
            text = f"{state.provider} is not asked before {state.shut_until:%Y-%m-%d %H:%M}Z: {state.why}"
            yield Finding(Ill.FEED_SHUT, text, state.failing_since)
    recent = [check for check in ledger.differences if now.date() - check.session <= DIFFERENCES_TOLD]
    for check in recent:
        yield Finding(Ill.CLOSES_DIFFER, difference_text(check, settings.feed.provider), check.checked_at)


def _mirror(ledger: Ledger, settings: Settings, now: datetime) -> Iterator[Finding]:
    lacking = lacking_text(ledger.mirror, now)
    if settings.cloud.bucket is not None and lacking:
        yield Finding(Ill.NOT_MIRRORED, lacking, ledger.mirror.waiting_since)


def _held(ledger: Ledger, settings: Settings) -> Iterator[Finding]:
    panel = {*settings.market.symbols, *settings.market.peers}
    for one in ledger.held:
        if one.symbol in panel:
            span = f"{one.first}" if one.first == one.last else f"{one.first} to {one.last}"
            look = f"`bars quarantine list --symbol {one.symbol}` shows them"
            yield Finding(Ill.HELD_BARS, f"bars of {one.symbol} {span} are refused ({', '.join(one.reasons)}); {look}")


def _calendar_end(settings: Settings, today: date) -> Iterator[Finding]:
    exchange = settings.market.exchange
    end = settings.calendar.known_until(exchange)
    if end is not None and end - today < CALENDAR_WARNING:
        when = f"end on {end}" if end >= today else f"ended on {end}: its sessions are provisional, Monday to Friday"
        text = f"the known holidays of {exchange} {when}; install a newer reliance-daemon, or write calendar.overrides"
        yield Finding(Ill.CALENDAR_ENDS, text)


def _name(task: Task) -> str:
    return f"{task.kind} {task.session:%Y-%m-%d}"
