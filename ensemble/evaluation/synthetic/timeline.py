"""Which night in New York lies before which session in India: what a decision can have known."""

from dataclasses import dataclass
from datetime import time, timedelta

import numpy as np
import pandas as pd

from ensemble.arrays import Floats, Integers
from ensemble.evaluation.synthetic.options import SyntheticOptions
from ensemble.features.as_of import newest_known
from ensemble.sessions import SessionCalendar, available_at, load_calendar

HOME = "XNSE"
ABROAD = "XNYS"
DECISION_TIME = time(8, 45)
DELAY_MIN = 60
LEAD_DAYS = 14
"""The night series begin this much earlier, so that the first decision knows some."""


@dataclass(frozen=True, slots=True, eq=False)
class Timeline:
    """Sessions at home and abroad, and for each decision at home the newest night that it knows."""

    home: SessionCalendar
    nights: pd.DatetimeIndex
    """Sessions abroad, (n_nights,)."""
    newest: Integers
    """(n_sessions,): place in `nights`."""

    def news(self, innovations: Floats) -> Floats:
        """Sum of the nights' innovations (..., n_nights) since the decision before, (..., n_sessions), first session 0.

        Most sessions know of one new night; after a holiday at home of several, after one abroad of none.
        """
        total = np.cumsum(innovations, axis=-1)[..., self.newest]
        return np.diff(total, axis=-1, prepend=total[..., :1])


def make_timeline(options: SyntheticOptions) -> Timeline:
    """The real calendars of both exchanges over the years of the options."""
    home = load_calendar(HOME, first=options.first, last=options.last)
    begin = options.first - timedelta(days=LEAD_DAYS)
    nights = load_calendar(ABROAD, first=begin, last=options.last).sessions
    known_at = available_at(nights, ABROAD, delay_min=DELAY_MIN)
    return Timeline(home, nights, newest_known(known_at, home.decisions(DECISION_TIME)))
