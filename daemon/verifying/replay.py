"""Past runs done again at the same desk, each from what it knew then, into a store that is thrown away."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from operator import itemgetter

import pandas as pd
from sqlalchemy import Engine

from daemon.config.configurations import restored
from daemon.config.settings import Settings
from daemon.errors import ConfigError, DaemonError
from daemon.models.loading import load_model
from daemon.services import Services
from daemon.sessions.decisions import write_decisions
from daemon.sessions.desk import Desk, Past, open_desk
from daemon.verifying.plan import Batch, Needs, Step, batches
from daemon.verifying.record import Record
from daemon.verifying.replayed_account import ReplayedAccount
from daemon.versions import deciding_version
from ensemble.sessions import CalendarError, SessionCalendar
from ensemble.trading.events import AccountEvent, EventKind
from ensemble.trading.signals import Signal
from storage.account_store import write_settlement
from storage.configuration_store import digest_of
from storage.engine import reading, transaction
from storage.model_store import ModelStoreError
from storage.run_store import Run
from storage.signal_store import read_signals
from storage.tables import LIVE


@dataclass(frozen=True, slots=True)
class NotReplayed:
    """A decision or settlement that cannot be made again, and why."""

    session: date
    kind: str
    why: str
    broken: bool = False
    """What is stored contradicts itself or lacks something, which neither age nor a clean-up explains."""


class _Broken(DaemonError):
    """What is stored lacks something that nobody takes away."""


class Replay:
    """Of one record, into one scratch store."""

    def __init__(self, services: Services, record: Record, scratch: Engine) -> None:
        """Nothing is done yet."""
        self._services, self._record, self._scratch = services, record, scratch
        self._settings, self._unreadable = settings_of(record.configurations, services)
        self._needs: dict[str, Needs] = {}
        self._account = ReplayedAccount(record.events)
        self._signals: dict[date, tuple[Signal, ...]] = {}
        self._decided = sorted(record.ledger["decide"])
        self._settled = settlements(record.events.values())

    def run(self) -> list[NotReplayed]:
        """Does every run of the record again; what could not be done."""
        results = self._services.progress(self._results(), total=len(self._record.runs), label="verify")
        return [result for result in results if result is not None]

    def _results(self) -> Iterator[NotReplayed | None]:
        """One a run, None where it was done again."""
        steps: list[tuple[tuple[object, ...], Step]] = []
        for run in self._record.runs:
            try:
                steps.append(self._placed(run))
            except (DaemonError, CalendarError) as error:
                broken = isinstance(error, _Broken | CalendarError) and is_own(run)
                yield NotReplayed(run.session, run.kind, str(error), broken)
        in_order = [step for _, step in sorted(steps, key=itemgetter(0))]
        for batch in batches(in_order, self._record.sightings, self._needs):
            yield from self._batch(batch)

    def _placed(self, run: Run) -> tuple[tuple[object, ...], Step]:
        """The run as a step, after the key that brings steps into the order that they were done in.

        Raises DaemonError or CalendarError when nothing can be known of it.
        """
        if run.configuration is None or run.bars_known_at is None or run.events_known is None:
            raise DaemonError("it was done by a version that did not keep what it was done by")
        if run.configuration not in self._settings:
            raise self._unreadable.get(run.configuration, _Broken(f"its configuration {run.configuration} is gone"))
        if run.configuration not in self._needs:
            settings = self._settings[run.configuration]
            self._needs[run.configuration] = Needs(settings, self._services.clock.now())
        step = self._step(run)
        return (run.events_known, run.bars_known_at, self._needs[run.configuration].due_at(step)), step

    def _step(self, run: Run) -> Step:
        decides = run.kind == "decide"
        return Step(
            run,
            model_id=self._record.speakers.get(run.session) if decides else None,
            decided_at=self._record.instants.get(run.session, run.finished_at) if decides else None,
        )

    def _batch(self, batch: Batch) -> Iterator[NotReplayed | None]:
        configuration = batch.steps[0].configuration
        sessions = [step.session for step in batch.steps]
        desk = open_desk(
            replace(self._services, settings=self._settings[configuration]),
            self._needs[configuration].calendar,
            first=min(sessions),
            last=max(sessions),
            past=self._past(batch),
        )
        for step in batch.steps:
            yield self._do(desk, step)

    def _past(self, batch: Batch) -> Past:
        if batch.model_id is None:
            return Past(batch.known_at, late_known_at=batch.late_known_at)
        try:
            return Past(batch.known_at, load_model(self._services.models, batch.model_id))
        except ModelStoreError as error:
            return Past(batch.known_at, missing=str(error))

    def _do(self, desk: Desk, step: Step) -> NotReplayed | None:
        try:
            if step.run.kind == "decide":
                self._decide(desk, step)
            else:
                self._settle(desk, step)
        except Exception as error:  # whatever one session meets, the others are verified
            if step.run.kind == "settle":
                self._account.lost()
            removed = isinstance(error, ModelStoreError) and step.model_id is not None
            why = f"{error}" or type(error).__name__
            return NotReplayed(step.run.session, step.run.kind, why, broken=is_own(step.run) and not removed)
        return None

    def _decide(self, desk: Desk, step: Step) -> None:
        account = self._account.at(step.events_known, desk.services.settings.risk)
        unsettled = self._unsettled(step)
        decision = desk.decide(step.session, account, decided_at=step.instant, unsettled=unsettled)
        if is_own(step.run):
            self._signals[step.run.session] = decision.signals
        with transaction(self._scratch) as conn:
            write_decisions(conn, LIVE, [decision], code_version=deciding_version())

    def _settle(self, desk: Desk, step: Step) -> None:
        account = self._account.at(step.events_known, desk.services.settings.risk)
        signals = self._signals_of(step.run.session)
        settlement = desk.settle(step.session, account, signals)
        with transaction(self._scratch) as conn:
            write_settlement(conn, LIVE, settlement)
        if is_own(step.run):
            self._account.settled(settlement)
        else:
            self._account.lost()

    def _unsettled(self, step: Step) -> list[Signal]:
        """Of the sessions that were decided before it and that the account, as it knew it, was not settled for."""
        known, calendar = (self._settled, step.events_known), self._needs[step.configuration].calendar
        sessions = unsettled_sessions(self._decided, *known, calendar=calendar, before=step.run.session)
        return [signal for session in sessions for signal in self._signals_of(session)]

    def _signals_of(self, session: date) -> Sequence[Signal]:
        """As replayed or, where that was not possible or not by the same code, as stored."""
        if session in self._signals:
            return self._signals[session]
        with reading(self._services.engine) as conn:
            return read_signals(conn, LIVE, session)


def settlements(events: Iterable[AccountEvent]) -> list[tuple[int, date]]:
    """Number and session of each settlement among the events, in order."""
    return sorted((event.number, event.session) for event in events if event.kind is EventKind.SETTLED)


def unsettled_sessions(
    decided: Sequence[date],
    settled: Sequence[tuple[int, date]],
    events_known: int,
    *,
    calendar: SessionCalendar,
    before: date,
) -> Sequence[date]:
    """Those of `decided`, in order, that come `before` a session and that so many events had not settled.

    Of the sessions of `calendar` alone: one that turned out to be none was not waited for.
    """
    known = bisect_right(settled, events_known, key=itemgetter(0))
    newest = settled[known - 1][1] if known else date.min
    waiting = decided[bisect_right(decided, newest) : bisect_left(decided, before)]
    return [session for session in waiting if pd.Timestamp(session) in calendar.sessions]


def is_own(run: Run) -> bool:
    """True when the run was done by the very code and libraries that would do it now."""
    return run.code_version == deciding_version()


def settings_of(kept: Mapping[str, str], services: Services) -> tuple[dict[str, Settings], dict[str, DaemonError]]:
    """By digest the settings that can be in force again, and why the others cannot."""
    settings: dict[str, Settings] = {}
    unreadable: dict[str, DaemonError] = {}
    for digest, text in kept.items():
        if digest_of(text) != digest:
            unreadable[digest] = _Broken(f"its configuration {digest} is damaged: it does not match its digest")
            continue
        try:
            settings[digest] = restored(text, services.settings)
        except ConfigError as error:
            unreadable[digest] = error
    return settings, unreadable
