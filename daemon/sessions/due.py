"""What is due: the sessions of the calendar less what the ledger has done. The ledger knows, not the scheduler."""

from collections.abc import Collection
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

    def due(self, now: pd.Timestamp, *, decided: Collection[date], settled: Collection[date]) -> list[Task]:
        """Tasks due at `now`, oldest first. A fresh ledger begins with the newest session whose decision is due.

        What is older than the newest done of its kind is history, for work goes oldest first (`passed_over`).
        """
        decisions, settles = _instants(self)
        past = int((decisions <= now).sum())
        if past == 0:
            return []
        sessions = self.calendar.sessions[:past]
        begun = pd.Timestamp(min(decided)) if decided else sessions[-1]
        undecided = sessions > pd.Timestamp(max(decided)) if decided else sessions == begun
        unsettled = (sessions >= begun) & (settles[:past] <= now)
        if settled:
            unsettled &= sessions > pd.Timestamp(max(settled))
        tasks = []
        for place in np.flatnonzero(undecided | unsettled).tolist():
            if undecided[place]:
                tasks.append(Task("decide", sessions[place], decisions[place]))
            if unsettled[place]:
                tasks.append(Task("settle", sessions[place], settles[place]))
        return sorted(tasks, key=lambda task: task.due_at)

    def passed_over(self, *, decided: Collection[date], settled: Collection[date]) -> pd.DatetimeIndex:
        """The sessions that came into the calendar when later ones were settled: nothing is done for them any more."""
        if not decided or not settled:
            return self.calendar.sessions[:0]
        between = self.calendar.between(min(decided), max(settled))
        # All at once: a ledger of many years is asked at every look, and a loop over it would take most of that.
        return between[~between.isin(np.array([*settled], dtype="datetime64[us]"))]

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
