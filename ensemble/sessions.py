"""When an exchange is open, when a decision falls, and when a bar is known.

The base of a calendar is the library exchange_calendars; what it gets wrong is corrected by `ensemble/calendars/`
and by a user's own rows (corrections.py). No PyPI calendar is right for the NSE: its weekend sessions and Muhurat
evenings are missing everywhere, and exchange_calendars 4.13 on pandas 3 drops even the special weekdays it knows.
"""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, time, timedelta
from difflib import get_close_matches
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ensemble.arrays import Integers, Mask
from ensemble.corrections import Correction, corrections_of, holidays_told_until

if TYPE_CHECKING:
    from exchange_calendars import ExchangeCalendar


@dataclass(frozen=True, slots=True)
class TradingHours:
    """Ordinary hours on the wall clock of `zone`; it opens the evening before if `opens` >= `closes`."""

    zone: str
    opens: time
    closes: time
    """When the last price of the day is made, closing auction included."""


EXCHANGES: Mapping[str, TradingHours] = {
    "XNSE": TradingHours("Asia/Kolkata", time(9, 15), time(15, 30)),
    "XBOM": TradingHours("Asia/Kolkata", time(9, 15), time(15, 30)),
    "XNYS": TradingHours("America/New_York", time(9, 30), time(16, 0)),
    "XNAS": TradingHours("America/New_York", time(9, 30), time(16, 0)),
    "XTKS": TradingHours("Asia/Tokyo", time(9, 0), time(15, 30)),
    "XHKG": TradingHours("Asia/Hong_Kong", time(9, 30), time(16, 10)),
    "XSHG": TradingHours("Asia/Shanghai", time(9, 30), time(15, 0)),
    "XSES": TradingHours("Asia/Singapore", time(9, 0), time(17, 16)),
    "XFRA": TradingHours("Europe/Berlin", time(9, 0), time(17, 35)),
    "XLON": TradingHours("Europe/London", time(8, 0), time(16, 35)),
    "CMES": TradingHours("America/Chicago", time(17, 0), time(16, 0)),
    "FOREX": TradingHours("America/New_York", time(17, 0), time(17, 0)),
    # A day from midnight to midnight UTC, told on a clock one hour behind: a close at 24:00 cannot be written.
    "ALWAYS": TradingHours("Etc/GMT+1", time(23, 0), time(23, 0)),
}
"""By market identifier code; CMES is for CL=F and GC=F, FOREX for the currency pairs, ALWAYS for what never closes."""

# The two exchanges hold nearly the same sessions; the library has no calendar of the NSE.
_LIBRARY_NAMES = {"XNSE": "XBOM"}
_WITHOUT_LIBRARY = ("FOREX", "ALWAYS")
_DAY_MIN = 24 * 60


class CalendarError(ValueError):
    """An exchange or a session that is not there."""


@dataclass(frozen=True, slots=True, eq=False)
class SessionCalendar:
    """The sessions of one exchange over a range of dates, oldest first."""

    exchange: str
    sessions: pd.DatetimeIndex
    """Naive midnights."""
    opens: pd.DatetimeIndex
    """UTC, one a session."""
    closes: pd.DatetimeIndex
    """UTC, one a session."""
    own: tuple[Correction, ...] = ()
    """The corrections that it was loaded with, besides those that come along."""

    def until(self, stop: int) -> "SessionCalendar":
        """Its first `stop` sessions."""
        return replace(self, sessions=self.sessions[:stop], opens=self.opens[:stop], closes=self.closes[:stop])

    def known_at(self, sessions: pd.DatetimeIndex, *, delay_min: int) -> pd.DatetimeIndex:
        """`available_at` for this exchange."""
        return available_at(sessions, self.exchange, delay_min=delay_min, own=self.own)

    def between(self, first: date, last: date) -> pd.DatetimeIndex:
        """The sessions from `first` to `last`, both included."""
        start, stop = self.sessions.searchsorted(pd.DatetimeIndex([first, last + timedelta(days=1)]))
        return self.sessions[start:stop]

    def position(self, session: date) -> int:
        """The place of `session`, 0 for the oldest. Raises CalendarError when it is no session."""
        stamp = pd.Timestamp(session)
        place = int(self.sessions.searchsorted(stamp))
        if place == len(self.sessions) or self.sessions[place] != stamp:
            raise CalendarError(
                f"{stamp:%a %Y-%m-%d} is no session of {self.exchange} between {self._range()}; "
                "take one with between(), previous() or next()."
            )
        return place

    def previous(self, session: date, count: int = 1) -> pd.Timestamp:
        """The `count`-th session before the date `session`, which need not be one. Raises CalendarError."""
        return self._at(int(self.sessions.searchsorted(pd.Timestamp(session))) - count, session)

    def next(self, session: date, count: int = 1) -> pd.Timestamp:
        """The `count`-th session after the date `session`, which need not be one. Raises CalendarError."""
        place = int(self.sessions.searchsorted(pd.Timestamp(session), side="right"))
        return self._at(place + count - 1, session)

    def decisions(self, wall: time) -> pd.DatetimeIndex:
        """UTC instant of `wall` on the exchange's own clock, one a session."""
        minutes = np.full(len(self.sessions), _minutes(wall))
        return _instants(self.sessions, minutes, trading_hours(self.exchange).zone)

    def _at(self, place: int, session: date) -> pd.Timestamp:
        if not 0 <= place < len(self.sessions):
            raise CalendarError(
                f"{self.exchange} has no such session near {session:%Y-%m-%d} between {self._range()}; "
                "load a longer calendar."
            )
        return self.sessions[place]

    def _range(self) -> str:
        if self.sessions.empty:
            return "its first and last session, of which it has none"
        return f"{self.sessions[0]:%Y-%m-%d} and {self.sessions[-1]:%Y-%m-%d}"


def trading_hours(exchange: str) -> TradingHours:
    """The ordinary hours of `exchange`. Raises CalendarError, with the likely name, for an unknown one."""
    if exchange not in EXCHANGES:
        near = get_close_matches(exchange.upper(), EXCHANGES, n=1)
        hint = f'did you mean "{near[0]}"?' if near else f"it must be one of {', '.join(EXCHANGES)}."
        raise CalendarError(f'exchange was "{exchange}", which is unknown; {hint}')
    return EXCHANGES[exchange]


def load_calendar(exchange: str, *, first: date, last: date, own: tuple[Correction, ...] = ()) -> SessionCalendar:
    """The sessions of `exchange` from `first` to `last`, both included; `own` corrections go before all else.

    Where the library records no holidays (the NSE before 1997 and after the newest year it knows) every
    Monday to Friday is a session unless a correction says otherwise.
    Raises CalendarError for an unknown exchange.
    """
    hours = trading_hours(exchange)
    if first > last:
        raise CalendarError(f"first was {first}, after last {last}; a calendar needs first <= last.")
    schedule = _library_schedule(exchange, first, last)
    corrections = corrections_of(exchange, own)
    extra = pd.DatetimeIndex([row.date for row in corrections if row.kind == "extra"])
    closed = pd.DatetimeIndex([row.date for row in corrections if row.kind == "closed"])
    sessions = pd.DatetimeIndex(schedule.index).union(extra).difference(closed).as_unit("us")
    sessions = sessions[(sessions >= pd.Timestamp(first)) & (sessions <= pd.Timestamp(last))].rename("session")
    opens, closes = (_instants(sessions, minutes, hours.zone) for minutes in wall_minutes(sessions, exchange, own))
    if exchange not in _LIBRARY_NAMES:
        schedule = schedule[~_is_told(pd.DatetimeIndex(schedule.index), corrections)].reindex(sessions)
        opens, closes = _prefer(schedule["open"], opens), _prefer(schedule["close"], closes)
    return SessionCalendar(exchange=exchange, sessions=sessions, opens=opens, closes=closes, own=own)


@lru_cache  # a long-lived process asks every minute
def holidays_known_until(exchange: str, own: tuple[Correction, ...] = ()) -> date | None:
    """The last day whose holidays the library or a correction knows; None where rules go on for ever."""
    trading_hours(exchange)
    if exchange in _WITHOUT_LIBRARY:
        return None
    end = _from_library(exchange).bound_max()
    told = holidays_told_until(corrections_of(exchange, own))
    return None if end is None else max(end.date(), told or end.date())


def available_at(
    sessions: pd.DatetimeIndex, exchange: str, *, delay_min: int, own: tuple[Correction, ...] = ()
) -> pd.DatetimeIndex:
    """UTC instant from which each session's bar is known: its close on its own exchange plus `delay_min`.

    Ordinary closing times: an early close makes a bar known later than it was, never earlier.
    Raises CalendarError for an unknown exchange.
    """
    zone = trading_hours(exchange).zone
    closes = wall_minutes(sessions, exchange, own)[1]
    return _instants(sessions, closes, zone) + pd.Timedelta(minutes=delay_min)


def wall_minutes(sessions: pd.DatetimeIndex, exchange: str, own: tuple[Correction, ...]) -> tuple[Integers, Integers]:
    """Corrected opens and closes in minutes from the local midnight of each session, in any order."""
    hours = trading_hours(exchange)
    opens = np.full(len(sessions), _minutes(hours.opens) - _DAY_MIN * (hours.opens >= hours.closes))
    closes = np.full(len(sessions), _minutes(hours.closes))
    # The hours of one day go before the ordinary ones, whichever row is the older.
    for row in sorted(_with_hours(corrections_of(exchange, own)), key=lambda row: row.kind != "hours"):
        which = _days_of(row, sessions)
        if row.opens is not None:
            overnight = row.closes is not None and row.opens >= row.closes
            opens[which] = _minutes(row.opens) - _DAY_MIN * overnight
        if row.closes is not None:
            closes[which] = _minutes(row.closes)
    return opens, closes


def _library_schedule(exchange: str, first: date, last: date) -> pd.DataFrame:
    """The base: sessions (index) with "open" and "close", UTC, NaT where only the weekday is known."""
    # A month more, because the library refuses a range without sessions.
    start, end = pd.Timestamp(first - timedelta(days=31)), pd.Timestamp(last)
    weekdays = pd.date_range(start, end, freq="D" if exchange == "ALWAYS" else "B", unit="us")
    calendar = _library_calendar(exchange, start, end)
    if calendar is None:
        return pd.DataFrame({"open": pd.NaT, "close": pd.NaT}, index=weekdays, dtype="datetime64[us, UTC]")
    start, end = _recorded_range(calendar, start, end)
    beyond = weekdays[(weekdays < start) | (weekdays > end)]
    known: pd.DataFrame = calendar.schedule[["open", "close"]]
    return known.reindex(known.index.union(beyond))


def _library_calendar(exchange: str, start: pd.Timestamp, end: pd.Timestamp) -> "ExchangeCalendar | None":
    """What the library records of start to end; None where it records nothing."""
    if exchange in _WITHOUT_LIBRARY:
        return None
    try:
        return _from_library(exchange, start=start, end=end)
    except ValueError:
        # Outside the years it records: only an instance tells which these are.
        start, end = _recorded_range(_from_library(exchange), start, end)
    return _from_library(exchange, start=start, end=end) if start < end else None


def _from_library(exchange: str, **between: pd.Timestamp) -> "ExchangeCalendar":
    # Imported here: it takes a sixth of a second that `status` need not pay.
    from exchange_calendars import get_calendar

    with warnings.catch_warnings():
        # exchange_calendars 4.13 uses what pandas 3.1 deprecates; nothing here depends on it.
        warnings.simplefilter("ignore", DeprecationWarning)
        return get_calendar(_LIBRARY_NAMES.get(exchange, exchange), **between)


def _recorded_range(
    calendar: "ExchangeCalendar", start: pd.Timestamp, end: pd.Timestamp
) -> tuple[pd.Timestamp, pd.Timestamp]:
    oldest, newest = calendar.bound_min(), calendar.bound_max()
    return max(start, oldest or start), min(end, newest or end)


def _with_hours(corrections: Sequence[Correction]) -> list[Correction]:
    return [row for row in corrections if row.opens is not None or row.closes is not None]


def _days_of(row: Correction, sessions: pd.DatetimeIndex) -> Mask:
    # Naive dates: NumPy compares them in a twentieth of the time.
    days, day = sessions.to_numpy(), np.datetime64(row.date)
    return np.asarray(days >= day if row.kind == "hours" else days == day)


def _is_told(sessions: pd.DatetimeIndex, corrections: Sequence[Correction]) -> Mask:
    """Whose hours a correction gives, whatever the library says."""
    told = np.zeros(len(sessions), dtype=np.bool_)
    for row in _with_hours(corrections):
        told |= _days_of(row, sessions)
    return told


def _instants(sessions: pd.DatetimeIndex, minutes: Integers, zone: str) -> pd.DatetimeIndex:
    wall = pd.DatetimeIndex(sessions + pd.to_timedelta(minutes, unit="min")).as_unit("us")
    # An hour that the clock shows twice is taken the first time, one that it leaps over just after the leap.
    first_time = np.ones(len(wall), dtype=np.bool_)
    local = wall.tz_localize(zone, ambiguous=first_time, nonexistent="shift_forward")
    return local.tz_convert("UTC").rename(None)


def _prefer(known: "pd.Series[pd.Timestamp]", instants: pd.DatetimeIndex) -> pd.DatetimeIndex:
    """The library's instants, which hold early closes, and ours where it has none."""
    return pd.DatetimeIndex(known.where(known.notna(), instants)).as_unit("us").rename(None)


def _minutes(wall: time) -> int:
    return wall.hour * 60 + wall.minute
