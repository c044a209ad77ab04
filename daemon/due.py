"""What is due: the sessions of the calendar less what the ledger has done. The ledger knows, not the scheduler."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, time, timedelta
from typing import Literal

import pandas as pd

from ensemble.sessions import SessionCalendar

Kind = Literal["settle", "decide"]
REOPENS_WITHIN = timedelta(days=60)
"""How long before the newest settled session one may lie that a bar still opens again: 40 sessions and more, which each
reading of the feed brings once more."""


@dataclass(frozen=True, slots=True)
class Task:
    """One job for one session."""

    kind: Kind
    session: pd.Timestamp
    due_at: pd.Timestamp


@dataclass(frozen=True, slots=True)
class Timetable:
    """When each session of a calendar is decided and settled."""

    calendar: SessionCalendar
    decision_time: time
    delay_min: int

    def due(self, now: pd.Timestamp, *, decided: Iterable[date], settled: Iterable[date]) -> list[Task]:
        """Tasks due at `now`, oldest first. A fresh ledger begins with the newest session whose decision is due."""
        decisions, settles = self._instants()
        past = int((decisions <= now).sum())
        done_decide, done_settle = _stamps(decided), _stamps(settled)
        if past == 0:
            return []
        first = min(done_decide, default=self.calendar.sessions[past - 1])
        tasks = []
        for place in range(int(self.calendar.sessions.searchsorted(first)), past):
            session = self.calendar.sessions[place]
            if session not in done_decide:
                tasks.append(Task("decide", session, decisions[place]))
            if session not in done_settle and settles[place] <= now:
                tasks.append(Task("settle", session, settles[place]))
        return sorted(tasks, key=lambda task: task.due_at)

    def next_wake(self, now: pd.Timestamp) -> pd.Timestamp:
        """The next instant after `now` when something falls due. Raises ValueError past the calendar's end."""
        return min(instant for instants in self._instants() for instant in instants[instants > now][:1])

    def _instants(self) -> tuple[pd.DatetimeIndex, pd.DatetimeIndex]:
        """When each session is decided, and when its bar is known and it can be settled."""
        known_at = self.calendar.known_at(self.calendar.sessions, delay_min=self.delay_min)
        return self.calendar.decisions(self.decision_time), known_at


def _stamps(sessions: Iterable[date]) -> set[pd.Timestamp]:
    return {pd.Timestamp(session) for session in sessions}
