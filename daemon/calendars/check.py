"""Do calendar and bars agree? Either may be wrong: who looks into it can write what is true into an override."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
from sqlalchemy import Connection, select

from daemon.config.settings import Settings
from daemon.services import context_symbols
from ensemble.sessions import SessionCalendar
from ensemble.validation.rules import Refusal, Sifted
from storage.bar_store import read_bars
from storage.tables import quarantine

MOST = 0.5
"""Of the symbols that had bars about a day: where more of them have one of that day itself, it is no slip of a feed."""
AROUND = pd.Timedelta(days=14)
HALF_DAYS_OF = {"CMES": "XNYS"}
"""Exchange -> the one on whose holidays it trades for some hours, which vendors count with the day after."""
SLIGHT = 0.01
"""Share of an exchange's sessions of which feeds that are only looked at may lack the bars before it is told."""


def _no_days() -> pd.DatetimeIndex:
    return pd.DatetimeIndex([])


@dataclass(frozen=True, slots=True)
class Witness:
    """What was seen of one symbol."""

    sessions: pd.DatetimeIndex
    """Days of its bars."""
    refused: pd.DatetimeIndex = field(default_factory=_no_days)
    """Days of bars that moved or had a volume, and were refused because the calendar has no such session."""

    def days(self) -> "np.ndarray[tuple[int], np.dtype[np.datetime64]]":
        """Each day once."""
        return (self.sessions.union(self.refused) if len(self.refused) else self.sessions).to_numpy()


@dataclass(frozen=True, slots=True)
class Disagreement:
    """Where calendar and bars of one exchange contradict each other, oldest first."""

    exchange: str
    without_bars: tuple[date, ...] = ()
    """Sessions of the calendar of which no symbol has a bar, though some have bars before and after."""
    no_sessions: tuple[date, ...] = ()
    """Days of which most symbols have a bar, and that are no sessions of the calendar."""
    compared: int = 0
    """Sessions that were looked at."""

    @property
    def differing(self) -> int:
        """Days of either kind."""
        return len(self.without_bars) + len(self.no_sessions)

    @property
    def is_slight(self) -> bool:
        """So few days that no calendar is wrong: a feed has its gaps."""
        return self.differing <= SLIGHT * self.compared

    def lines(self) -> list[str]:
        """One line for each kind, none where all agree."""
        told = (
            ("no symbol has a bar of", "a holiday the calendar lacks, or bars the feed lacks", self.without_bars),
            ("most symbols have a bar of", "a session the calendar lacks, or bars that are made up", self.no_sessions),
        )
        return [f"{self.exchange}: {what} {shortened(days)}: {why}" for what, why, days in told if days]


def half_days(settings: Settings, calendar: SessionCalendar) -> pd.DatetimeIndex:
    """Sessions of `calendar` of which nobody gives a bar of their own."""
    other = HALF_DAYS_OF.get(calendar.exchange)
    if other is None or calendar.sessions.empty:
        return _no_days()
    first, last = calendar.sessions[0].date(), calendar.sessions[-1].date()
    return calendar.sessions.difference(settings.calendar.load(other, first=first, last=last).sessions)


def compare(
    calendar: SessionCalendar,
    seen: Iterable[Witness],
    *,
    since: date | None = None,
    barless: pd.DatetimeIndex | None = None,
) -> Disagreement:
    """Where the days of `calendar` after `since` and what was seen of its exchange's symbols contradict each other.

    `barless`: sessions that may lack bars, as from `half_days`.
    """
    seen = [one for one in seen if len(one.sessions)]
    if not seen:
        return Disagreement(calendar.exchange)
    days, counts = np.unique(np.concatenate([one.days() for one in seen]), return_counts=True)
    traded = pd.DatetimeIndex(days)
    first = traded[0] if since is None else pd.Timestamp(since) + pd.Timedelta(days=1)
    sessions = calendar.between(first, traded[-1])
    strange = np.flatnonzero((traded >= first) & ~traded.isin(sessions)).tolist()
    return Disagreement(
        calendar.exchange,
        tuple(sessions[~sessions.isin(traded if barless is None else traded.union(barless))].date),
        tuple(traded[place].date() for place in strange if counts[place] > MOST * _around(traded[place], seen)),
        len(sessions),
    )


def check_stored(
    conn: Connection, settings: Settings, calendar: SessionCalendar, *, since: date | None = None
) -> Disagreement:
    """`compare` with the bars in the store, a symbol at a time."""
    symbols = symbols_of(settings, calendar.exchange)
    refused = _refused_days(conn, symbols)

    def witnesses() -> Iterator[Witness]:
        for symbol in symbols:
            bars = read_bars(conn, [symbol], first=since)[symbol]
            yield Witness(pd.DatetimeIndex(bars.index), refused.get(symbol, _no_days()))

    return compare(calendar, witnesses(), since=since, barless=half_days(settings, calendar))


def seen_in(sifted: Sifted) -> Witness:
    """What one reading of a feed showed of a symbol."""
    if sifted.refused.empty:  # as on most days
        return Witness(pd.DatetimeIndex(sifted.kept.index))
    refused = sifted.refused[sifted.refused["reason"] == str(Refusal.NOT_A_SESSION)]
    traded = [has_traded(bar) for bar in refused.to_dict("records")]
    days = pd.DatetimeIndex(refused["session"][np.array(traded, dtype=np.bool_)]).sort_values()
    return Witness(pd.DatetimeIndex(sifted.kept.index), days)


def symbols_of(settings: Settings, exchange: str) -> list[str]:
    """Everything configured that trades on `exchange`."""
    market = settings.market
    at_home = [*market.symbols, *market.peers] if exchange == market.exchange else []
    return [*at_home, *(symbol for symbol, where in context_symbols(market.context).items() if where == exchange)]


def exchanges_of(settings: Settings) -> list[str]:
    """The traded exchange, then those that are looked at."""
    return list(dict.fromkeys((settings.market.exchange, *settings.market.context)))


def shortened(days: tuple[date, ...], most: int = 6) -> str:
    """As in "2021-10-04, 2021-10-05 and 3 more", the newest first."""
    named = ", ".join(f"{day:%a %Y-%m-%d}" for day in days[::-1][:most])
    return f"{named} and {len(days) - most} more" if len(days) > most else named


def has_traded(bar: Mapping[Any, Any]) -> bool:
    """Feeds fill holidays with bars that stand still and have no volume."""
    volume, high, low = (bar.get(name) for name in ("volume", "high", "low"))
    moved = isinstance(high, float) and isinstance(low, float) and high > low
    return moved or (isinstance(volume, float) and volume > 0)


def _around(day: pd.Timestamp, seen: Sequence[Witness]) -> int:
    """How many symbols had bars about that time."""
    return sum(one.sessions[0] - AROUND <= day <= one.sessions[-1] + AROUND for one in seen)


def _refused_days(conn: Connection, symbols: Sequence[str]) -> dict[str, pd.DatetimeIndex]:
    rows = select(quarantine.c.symbol, quarantine.c.session, quarantine.c.payload).where(
        quarantine.c.reason == str(Refusal.NOT_A_SESSION), quarantine.c.symbol.in_(symbols)
    )
    days: dict[str, set[pd.Timestamp]] = {}
    for symbol, session, payload in conn.execute(rows):
        if session is not None and has_traded(payload):
            days.setdefault(symbol, set()).add(pd.Timestamp(session))
    return {symbol: pd.DatetimeIndex(sorted(found)) for symbol, found in days.items()}
