"""The days of a calendar as `calendar show` lists them: sessions, and weekdays that are none."""

from dataclasses import dataclass
from datetime import date

import pandas as pd

from daemon.config.settings import Settings
from ensemble.corrections import corrections_of
from ensemble.sessions import trading_hours

WEEKENDS_KNOWN_FROM = {"XNSE": date(2006, 1, 2)}
"""By exchange, since when the sessions on Saturdays and Sundays are all known."""


def unsure_before(exchange: str, first: date) -> str | None:
    """What to say of a calendar that is asked from `first` on; None where there is nothing to say."""
    known_from = WEEKENDS_KNOWN_FROM.get(exchange)
    if known_from is None or first >= known_from:
        return None
    return (
        f"{exchange}: before {known_from} sessions on Saturdays and Sundays are not known, and not shown; those that "
        "you know of belong into calendar.overrides (docs/data-quality.md)"
    )


@dataclass(frozen=True, slots=True)
class CalendarDay:
    """One day."""

    date: date
    opens: str | None
    """HH:MM on the exchange's wall clock; none where it is closed."""
    closes: str | None
    provisional: bool
    """Past all known holidays: its bars will tell."""
    note: str
    """What a correction says about it."""

    @property
    def is_session(self) -> bool:
        """Open."""
        return self.opens is not None

    def line(self) -> str:
        """As in "Sun 2026-11-08  18:00-19:00  Muhurat"."""
        hours = f"{self.opens}-{self.closes}" if self.is_session else "closed     "
        told = "; ".join(part for part in ("provisional" if self.provisional else "", self.note) if part)
        return f"{self.date:%a %Y-%m-%d}  {hours}  {told}".rstrip()


def calendar_days(settings: Settings, exchange: str, *, first: date, last: date) -> list[CalendarDay]:
    """Every session of `exchange` from `first` to `last`, and every Monday to Friday that is none."""
    calendar, zone = settings.calendar.load(exchange, first=first, last=last), trading_hours(exchange).zone
    hours: dict[pd.Timestamp, tuple[str, str]] = {
        session: (f"{opened:%H:%M}", f"{closed:%H:%M}")
        for session, opened, closed in zip(
            calendar.sessions, calendar.opens.tz_convert(zone), calendar.closes.tz_convert(zone), strict=True
        )
    }
    if exchange == "ALWAYS":  # which is told on a clock one hour behind
        hours = dict.fromkeys(calendar.sessions, ("00:00", "24:00"))
    own = settings.calendar.corrections.get(exchange, ())
    notes = {row.date: row.reason for row in corrections_of(exchange, own) if row.kind in ("extra", "closed", "hours")}
    days = calendar.sessions.union(pd.bdate_range(first, last))
    listed = []
    for day in days:
        opens, closes = hours.get(day, (None, None))
        provisional = settings.calendar.is_provisional(exchange, day.date())
        listed.append(CalendarDay(day.date(), opens, closes, provisional, notes.get(day.date(), "")))
    return listed
