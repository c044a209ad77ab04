"""What is due: the sessions of the calendar less what the ledger has done. The ledger knows, not the scheduler."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, time
from typing import Literal

import pandas as pd

from ensemble.sessions import SessionCalendar

Kind = Literal["settle", "decide"]


@dataclass(frozen=True, slots=True)
class Task:
    """One job for one session."""

    kind: Kind
    session: pd.Timestamp
    due_at: pd.Timestamp
    late: bool
    """The session had opened already: its decision is kept for the record and not traded."""


@dataclass(frozen=True, slots=True)
class Timetable:
    """When each session of a calendar is decided and settled."""

    calendar: SessionCalendar
    decision_time: time
    delay_min: int

    def due(self, now: pd.Timestamp, *, decided: Iterable[date], settled: Iterable[date]) -> list[Task]:
        """Tasks due at `now`, oldest first. A fresh ledger begins with the newest session whose decision is due."""
        decisions = self.calendar.decisions(self.decision_time)
        past = int((decisions <= now).sum())
        done_decide, done_settle = _stamps(decided), _stamps(settled)
        if past == 0:
            return []
        first = min(done_decide, default=self.calendar.sessions[past - 1])
        tasks = []
        for place in range(int(self.calendar.sessions.searchsorted(first)), past):
            session = self.calendar.sessions[place]
            if session not in done_decide:
                late = bool(now >= self.calendar.opens[place])
                tasks.append(Task("decide", session, decisions[place], late))
            if session not in done_settle and self._settles(place) <= now:
                tasks.append(Task("settle", session, self._settles(place), late=False))
        return sorted(tasks, key=lambda task: task.due_at)

    def next_wake(self, now: pd.Timestamp) -> pd.Timestamp:
        """The next instant after `now` when something falls due. Raises ValueError past the calendar's end."""
        decisions = self.calendar.decisions(self.decision_time)
        instants = decisions.append(self.calendar.closes + pd.Timedelta(minutes=self.delay_min))
        return min(instants[instants > now])

    def _settles(self, place: int) -> pd.Timestamp:
        return self.calendar.closes[place] + pd.Timedelta(minutes=self.delay_min)


def _stamps(sessions: Iterable[date]) -> set[pd.Timestamp]:
    return {pd.Timestamp(session) for session in sessions}
