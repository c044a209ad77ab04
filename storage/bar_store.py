"""Daily bars as versions: a revised bar is added, the old one stays and says until when it held.

So "the bars now" and "the bars as known on any day" are the same query with another instant.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import pairwise

import numpy as np
import pandas as pd
from sqlalchemy import ColumnElement, Connection, and_, bindparam, func, or_, select

from ensemble.arrays import Floats, Mask
from ensemble.bars import BAR_COLUMNS, check_bars
from ensemble.validation.asset_class import class_rules
from ensemble.validation.block import Block, block_of
from storage.feed_tables import sightings
from storage.rows import Row, insert_columns, insert_rows, raw_columns
from storage.tables import bars as table

_EQUAL_WITHIN = 1e-9
"""Relative: what a feed's rounding does to a number that it did not change."""
ADJUSTED_WITHIN = 1e-6
"""The same of adj_close: Yahoo works it out anew for each request, by up to 4e-7 otherwise (yfinance's issue 1871)."""
_ADJUSTED = BAR_COLUMNS.index("adj_close")

BY_HAND = "quarantine"
"""The provider of a version that a person let in."""

_PRICES = [table.c[name] for name in BAR_COLUMNS]
_BELIEVED = table.c.withdrawn.is_(None)
# Made once, because it is asked for every symbol: making it takes longer than the answer.
_OWN = table.c.symbol == bindparam("of_symbol")
_NEWEST = select(
    func.max(table.c.session),
    select(table.c.provider)
    .where(_OWN, table.c.provider != BY_HAND)
    .order_by(table.c.session.desc(), table.c.seen_at.desc())
    .limit(1)
    .correlate(None)
    .scalar_subquery(),
).where(_OWN)


@dataclass(frozen=True, slots=True)
class Newest:
    """The newest session of which a symbol has any version, and the feed that its newest one came from."""

    session: date
    provider: str | None
    """Not of a bar that was let in by hand; None where there is no other."""


@dataclass(frozen=True, slots=True)
class BarChanges:
    """What a write did: sessions that were new, and sessions whose bar had been another one."""

    added: int
    changed: int


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """A bar that was believed once."""

    session: date
    since: datetime
    reason: str


def read_bars(
    conn: Connection, symbols: Sequence[str], *, first: date | None = None, known_at: datetime | None = None
) -> dict[str, pd.DataFrame]:
    """A bars frame for each symbol from session `first` on, empty where there is no bar.

    With `known_at`, the bars as they were known at that instant: nothing seen later shows.
    """
    query = select(table.c.session, *_PRICES).where(_as_known(known_at), _BELIEVED).order_by(table.c.session)
    if first is not None:
        query = query.where(table.c.session >= first)
    # A symbol at a time: of all together, the driver's rows alone would take ten times the memory of the frames.
    return {symbol: _frame(*raw_columns(conn, query.where(table.c.symbol == symbol))) for symbol in symbols}


def read_newest_bars(conn: Connection, firsts: Mapping[str, date]) -> dict[str, pd.DataFrame]:
    """`read_bars` of each symbol from a session of its own on, in one statement for all that share theirs.

    Made for the last weeks of many symbols, where a statement a symbol would take most of the time.
    """
    bars = dict.fromkeys(firsts, _frame((), *((),) * len(_PRICES)))
    query = select(table.c.symbol, table.c.session, *_PRICES).where(_as_known(None), _BELIEVED)
    for first in set(firsts.values()):
        together = table.c.symbol.in_([symbol for symbol, own in firsts.items() if own == first])
        chosen = query.where(together, table.c.session >= first).order_by(table.c.symbol, table.c.session)
        symbols, sessions, *prices = raw_columns(conn, chosen)
        whole, names = _frame(sessions, *prices), np.array(symbols, dtype=np.str_)
        begins = np.flatnonzero(names[1:] != names[:-1]) + 1
        for start, stop in pairwise([0, *begins.tolist(), len(names)] if len(names) else []):
            bars[symbols[start]] = whole.iloc[start:stop]
    return bars


def newest_sessions(conn: Connection) -> dict[str, pd.Timestamp]:
    """The newest session that has a bar, for each symbol that has any."""
    # From symbol to symbol by the key: grouping would read every bar, half a second for 500 symbols of 25 years.
    symbols = select(func.min(table.c.symbol).label("symbol")).cte("symbols", recursive=True)
    following = select(func.min(table.c.symbol)).where(table.c.symbol > symbols.c.symbol).scalar_subquery()
    symbols = symbols.union_all(select(following).where(symbols.c.symbol.is_not(None)))
    own = select(table.c.session).where(table.c.symbol == symbols.c.symbol, _as_known(None), _BELIEVED)
    newest = own.order_by(table.c.session.desc()).limit(1).scalar_subquery()
    query = select(symbols.c.symbol, newest).where(symbols.c.symbol.is_not(None))
    return {symbol: pd.Timestamp(session) for symbol, session in conn.execute(query) if session is not None}


def newest_of(conn: Connection, symbols: Iterable[str]) -> dict[str, Newest]:
    """The newest session of each symbol that has any bar, withdrawn or not, and where its bars come from."""
    rows = ((symbol, conn.execute(_NEWEST, {"of_symbol": symbol}).one()) for symbol in symbols)
    return {symbol: Newest(*row) for symbol, row in rows if row[0] is not None}


def read_sightings(conn: Connection, *, after: datetime, until: datetime) -> list[tuple[datetime, str, date]]:
    """When bars came in, in order: the instant, the symbol, and the oldest session of which it then got a version."""
    query = select(table.c.seen_at, table.c.symbol, func.min(table.c.session))
    came = query.where(table.c.seen_at > after, table.c.seen_at <= until).group_by(table.c.seen_at, table.c.symbol)
    return [(seen_at, symbol, session) for seen_at, symbol, session in conn.execute(came.order_by(table.c.seen_at))]


def write_bars(conn: Connection, symbol: str, bars: pd.DataFrame, *, seen_at: datetime, provider: str) -> BarChanges:
    """Keeps the bars that differ from those known at `seen_at`; a bar known already is not written.

    Bars seen earlier than a kept version take their place in history and leave the newer version current.
    Of two different bars seen in the same second the later call's wins. Raises BarsError when `bars` is no
    bars frame.
    """
    check_bars(bars, complete=False, positive=class_rules(symbol).positive)
    if bars.empty:
        return BarChanges(added=0, changed=0)
    known, since = _known(conn, symbol, bars, seen_at)
    added = ~bars.index.isin(known.index)
    differs = ~equal_rows(bars, known.reindex(bars.index))
    changed = _dates(bars[differs & ~added])
    _retire(conn, symbol, {session: since[session] for session in changed}, seen_at)
    until = _next_versions(conn, symbol, bars, seen_at) if differs.any() else {}
    fixed = {"symbol": symbol, "seen_at": seen_at, "provider": provider}
    _insert(conn, bars[differs], until, fixed)
    if differs.any():
        _note_sighting(conn, seen_at)
    return BarChanges(added=int(added.sum()), changed=len(changed))


def withdraw_bars(conn: Connection, symbol: str, reasons: Mapping[date, str], *, seen_at: datetime) -> list[date]:
    """Of the sessions of `reasons`, those whose bar is believed no more from `seen_at` on, for the reason given.

    Their values stay, and a later version may put another bar, or the same, in their place.
    """
    if not reasons:
        return []
    query = select(table.c.session, table.c.seen_at, table.c.provider, *_PRICES).where(
        table.c.symbol == symbol, table.c.session.in_(reasons), _as_known(seen_at), _BELIEVED
    )
    rows = [dict(row) for row in conn.execute(query).mappings()]
    _retire(conn, symbol, {row["session"]: row["seen_at"] for row in rows}, seen_at)
    for row in rows:
        row |= {"symbol": symbol, "seen_at": seen_at, "withdrawn": reasons[row["session"]]}
        later = table.c.session == row["session"], table.c.symbol == symbol, table.c.seen_at > seen_at
        row["superseded_at"] = conn.scalar(select(func.min(table.c.seen_at)).where(*later))
    if insert_rows(conn, table, rows):
        _note_sighting(conn, seen_at)
    return sorted(row["session"] for row in rows)


def read_withdrawn(conn: Connection, symbol: str, *, known_at: datetime | None = None) -> list[Withdrawn]:
    """The symbol's withdrawn bars, oldest first; with `known_at`, those that were withdrawn then."""
    query = select(table.c.session, table.c.seen_at, table.c.withdrawn)
    own = query.where(table.c.symbol == symbol, _as_known(known_at), table.c.withdrawn.is_not(None))
    return [Withdrawn(*row) for row in conn.execute(own.order_by(table.c.session))]


def write_all_bars(
    conn: Connection, bars: Mapping[str, pd.DataFrame], *, seen_at: datetime, provider: str
) -> BarChanges:
    """`write_bars` of every symbol: in one statement of those that only go on, where they leave nothing to compare."""
    newest = newest_of(conn, bars)
    block = block_of({symbol: frame for symbol, frame in bars.items() if _goes_on(frame, newest.get(symbol))})
    positive = block.of_class("positive") > 0
    if (block.unordered | block.faulty(np.zeros_like(positive), positive)).any():
        block = block_of({})  # `write_bars` says what is wrong with which
    if block.symbols:
        _insert_block(conn, block, {"seen_at": seen_at, "superseded_at": None, "provider": provider})
        _note_sighting(conn, seen_at)
    changes = [
        write_bars(conn, symbol, frame, seen_at=seen_at, provider=provider)
        for symbol, frame in bars.items()
        if symbol not in block.symbols
    ]
    added = len(block.sessions) + sum(one.added for one in changes)
    return BarChanges(added, changed=sum(one.changed for one in changes))


def _as_known(known_at: datetime | None) -> ColumnElement[bool]:
    if known_at is None:
        return table.c.superseded_at.is_(None)
    replaced_later = or_(table.c.superseded_at.is_(None), table.c.superseded_at > known_at)
    return and_(table.c.seen_at <= known_at, replaced_later)


def _frame(sessions: Sequence[str], *prices: Sequence[float | None]) -> pd.DataFrame:
    # None becomes NaN on the way into the array.
    values = np.array(prices, dtype=np.float64).T
    index = pd.DatetimeIndex(np.array(sessions, dtype="datetime64[us]"), name="session")
    return pd.DataFrame(values, index=index, columns=list(BAR_COLUMNS))


def _known(
    conn: Connection, symbol: str, bars: pd.DataFrame, seen_at: datetime
) -> tuple[pd.DataFrame, dict[date, datetime]]:
    """The versions in force at `seen_at` for the span of `bars`, and since when; one that withdraws has no values."""
    columns = table.c.session, *_PRICES, table.c.withdrawn, table.c.seen_at
    query = select(*columns).where(_as_known(seen_at), _span(symbol, bars))
    sessions, *prices, withdrawn, since = raw_columns(conn, query.order_by(table.c.session))
    frame = _frame(sessions, *prices)
    frame[[reason is not None for reason in withdrawn]] = np.nan
    return frame, dict(zip(_dates(frame), map(datetime.fromisoformat, since), strict=True))


def _dates(bars: pd.DataFrame) -> list[date]:
    """The sessions as plain dates, which are kept a good deal faster than Timestamps."""
    return list(pd.DatetimeIndex(bars.index).date)


def _span(symbol: str, bars: pd.DataFrame) -> ColumnElement[bool]:
    return and_(table.c.symbol == symbol, table.c.session.between(bars.index[0], bars.index[-1]))


def begins_with(bars: pd.DataFrame, stored: pd.DataFrame) -> bool:
    """The first rows of `bars` are those of `stored`, to the last digit but for adj_close."""
    count = len(stored)
    if len(bars) < count or (bars.index.to_numpy()[:count] != stored.index.to_numpy()).any():
        return False
    first, known = bars.to_numpy()[:count], stored.to_numpy()
    equal = (first == known) | (np.isnan(first) & np.isnan(known))
    equal[:, _ADJUSTED] |= _as_adjusted(first, known)
    return bool(equal.all())


def equal_rows(left: pd.DataFrame, right: pd.DataFrame) -> Mask:
    """Which rows of two frames of bars, of the same length, hold the same bar."""
    columns = list(BAR_COLUMNS)
    ours, theirs = left[columns].to_numpy(), right[columns].to_numpy()
    equal = np.isclose(ours, theirs, rtol=_EQUAL_WITHIN, atol=0.0, equal_nan=True)
    equal[:, _ADJUSTED] |= _as_adjusted(ours, theirs)
    return np.asarray(equal.all(axis=1), dtype=np.bool_)


def _as_adjusted(left: Floats, right: Floats) -> Mask:
    """Of rows of BAR_COLUMNS, which have the same adj_close."""
    ours, theirs = left[:, _ADJUSTED], right[:, _ADJUSTED]
    return np.asarray(np.abs(ours - theirs) <= ADJUSTED_WITHIN * np.abs(theirs), dtype=np.bool_)


def _retire(conn: Connection, symbol: str, since: Mapping[date, datetime], seen_at: datetime) -> None:
    """Ends the versions that were known since then, now that others hold from `seen_at` on."""
    this = and_(
        table.c.symbol == symbol,
        table.c.session == bindparam("of_session"),
        table.c.seen_at == bindparam("of_version"),
    )
    keys = [{"of_session": session, "of_version": version} for session, version in since.items()]
    now = seen_at.replace(microsecond=0)
    older = [key for key in keys if key["of_version"] != now]
    same_second = [key for key in keys if key["of_version"] == now]
    if older:
        conn.execute(table.update().where(this).values(superseded_at=seen_at), older)
    if same_second:
        conn.execute(table.delete().where(this), same_second)


def _next_versions(conn: Connection, symbol: str, bars: pd.DataFrame, seen_at: datetime) -> dict[date, datetime]:
    """When the next version of each session was seen, for the sessions that have one seen after `seen_at`."""
    query = select(table.c.session, func.min(table.c.seen_at)).where(_span(symbol, bars), table.c.seen_at > seen_at)
    return dict(conn.execute(query.group_by(table.c.session)).all())


def _note_sighting(conn: Connection, seen_at: datetime) -> None:
    known = select(sightings.c.seen_at).where(sightings.c.seen_at == seen_at)
    if conn.scalar(known) is None:
        conn.execute(sightings.insert().values(seen_at=seen_at))


def _goes_on(bars: pd.DataFrame, newest: Newest | None) -> bool:
    return newest is None or (len(bars) > 0 and bars.index[0] > pd.Timestamp(newest.session))


def _insert_block(conn: Connection, block: Block, fixed: Row) -> None:
    columns: dict[str, Sequence[object]] = {name: [value] * len(block.sessions) for name, value in fixed.items()}
    columns["symbol"] = np.array(block.symbols, dtype=object)[block.owners].tolist()
    columns["session"] = block.sessions.astype("datetime64[D]").tolist()
    columns |= {name: _without_nan(values) for name, values in block.values.items()}
    insert_columns(conn, table, columns)


def _without_nan(values: Floats) -> list[float | None]:
    numbers: list[float | None] = values.tolist()
    for place in np.flatnonzero(np.isnan(values)):
        numbers[place] = None
    return numbers


def _insert(conn: Connection, bars: pd.DataFrame, until: Mapping[date, datetime], fixed: Row) -> None:
    sessions = _dates(bars)
    columns = {name: [value] * len(bars) for name, value in fixed.items()}
    columns |= {"session": sessions, "superseded_at": [until.get(session) for session in sessions]}
    columns |= {name: _without_nan(bars[name].to_numpy()) for name in BAR_COLUMNS}
    insert_columns(conn, table, columns)
