"""Bars as witnesses of the clock: by how many that should be there and are not may it be believed?"""

from dataclasses import dataclass

import pandas as pd

from daemon.service.clock_watch import ClockError, Trust
from daemon.sessions.due import Task, Timetable

MOST_UNSEEN_SESSIONS = 10
"""A feed may well be gone for a week or two. After more it is the clock that has to be looked at first."""
_BY_A_CLOCK = {
    Trust.BORNE_OUT: "",
    Trust.UNPROVEN: ", by a clock that no bar has borne out since the start",
    Trust.DOUBTED: ", by a clock that was moved forward",
}


@dataclass(frozen=True, slots=True)
class Witness:
    """What the bars say of the clock."""

    timetable: Timetable
    now: pd.Timestamp
    newest: pd.Timestamp
    """The newest session that any symbol has a bar of."""

    @property
    def missing(self) -> int:
        """How many sessions are over by the clock without a bar of any symbol."""
        return int((self.timetable.over(self.now) > self.newest).sum())

    def believed(self, tasks: list[Task], trust: Trust, *, oldest_bar: int) -> list[Task]:
        """The tasks, unless so much has passed without a bar that it may be the clock that is wrong.

        Then those alone that have bars: what is decided for a session that is yet to come could never be decided again.
        Raises ClockError where there are none. `oldest_bar`: how old one may be to be acted on, in sessions.
        """
        ahead = [task for task in tasks if task.session > self.newest]
        if not self._disbelieves(ahead, trust, oldest_bar):
            return tasks
        seen = [task for task in tasks if task.session <= self.newest]
        if not seen:
            last = max(task.session for task in ahead)
            raise ClockError(
                f"sessions since {self.newest:%Y-%m-%d} are due, to {last:%Y-%m-%d}, without a "
                f"bar of any{_BY_A_CLOCK[trust]}; none is decided until one comes: see whether the clock is right "
                "(timedatectl), then whether the feed is."
            )
        return seen

    def _disbelieves(self, ahead: list[Task], trust: Trust, oldest_bar: int) -> bool:
        """True where so much is due ahead of the bars that the clock may be wrong.

        Of a doubted clock one session may have no bar, and only until it opens: later its decision can wait at no cost.
        At a start none is decided by bars that are too old to act on: that can wait as well.
        """
        unseen = {task.session for task in ahead}
        undecided = [task.session for task in ahead if task.kind == "decide"]
        if len(unseen) > MOST_UNSEEN_SESSIONS:
            return True
        if trust is Trust.UNPROVEN:
            return bool(undecided) and self.missing >= oldest_bar
        return trust is Trust.DOUBTED and (len(unseen) > 1 or any(map(self._has_opened, undecided)))

    def _has_opened(self, session: pd.Timestamp) -> bool:
        calendar = self.timetable.calendar
        return bool(calendar.opens[calendar.position(session)] <= self.now)
