"""What is due: the sessions of the calendar less what the ledger has done. The ledger knows, not the scheduler."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, time, timedelta
from functools import lru_cache
from typing import Literal

import numpy as np
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
        decisions, settles = _instants(self)
        past = int((decisions <= now).sum())
        if past == 0:
            return []
        sessions, done_decide, done_settle = self.calendar.sessions[:past], _stamps(decided), _stamps(settled)
        begun = sessions >= (done_decide.min() if len(done_decide) else sessions[-1])
        # All at once: a ledger of many years is asked at every look, and a loop over it would take most of that.
        undecided = begun & ~sessions.isin(done_decide)
        unsettled = begun & ~sessions.isin(done_settle) & (settles[:past] <= now)
        tasks = []
        for place in np.flatnonzero(undecided | unsettled).tolist():
            if undecided[place]:
                tasks.append(Task("decide", sessions[place], decisions[place]))
            if unsettled[place]:
                tasks.append(Task("settle", sessions[place], settles[place]))
        return sorted(tasks, key=lambda task: task.due_at)

    def over(self, now: pd.Timestamp) -> pd.DatetimeIndex:
        """The sessions whose bars are known at `now`."""
        return self.calendar.sessions[_instants(self)[1] <= now]

    def next_wake(self, now: pd.Timestamp) -> pd.Timestamp:
        """The next instant after `now` when something falls due. Raises ValueError past the calendar's end."""
        return min(instant for instants in _instants(self) for instant in instants[instants > now][:1])


@lru_cache(maxsize=4)
def _instants(timetable: Timetable) -> tuple[pd.DatetimeIndex, pd.DatetimeIndex]:
    """When each session is decided, and when its bar is known and it can be settled.

    Each look at what is due asks several times; the calendar stays the same one for a month.
    """
    calendar = timetable.calendar
    known_at = calendar.known_at(calendar.sessions, delay_min=timetable.delay_min)
    return calendar.decisions(timetable.decision_time), known_at


def _stamps(sessions: Iterable[date]) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(np.array([*sessions], dtype="datetime64[us]"))
