"""What people say of refused bars: accepted ones become versions from then on, rejected ones stay out for good.

Both hold over splits and dividends: a bar is known by its closes in the scale of the bars beside it. Rules say it
too: a stored bar that is refused later is withdrawn, unless a person has accepted these values.
"""

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import numpy as np
import pandas as pd
from sqlalchemy import Connection, Row, select

from ensemble.bars import BAR_COLUMNS, BarsError, check_bars
from ensemble.validation.asset_class import class_rules
from ensemble.validation.rescaling import CLOSES
from ensemble.validation.rows import mend_context, widen
from ensemble.validation.rules import Refusal
from storage.bar_store import BY_HAND, newest_sessions, withdraw_bars, write_bars
from storage.errors import StoreError
from storage.refusals import Noted, Versions, is_same, json_number, number, values_now
from storage.sightings import next_sighting
from storage.tables import quarantine

ACCEPTED, REJECTED = "accepted", "rejected"


@dataclass(frozen=True, slots=True)
class Refused:
    """One refused bar, and the closes that are known beside it."""

    id: int
    symbol: str
    session: date | None
    reason: str
    values: dict[str, float | str | None]
    """In the scale of the bars beside it, as of now."""
    seen_at: datetime
    verdict: str | None
    decided_at: datetime | None
    decided_by: str | None
    note: str | None
    close_before: float | None
    close_after: float | None


@dataclass(frozen=True, slots=True)
class HeldBars:
    """The newest bars of a symbol, refused: what is believed of it ends before them."""

    symbol: str
    first: date
    last: date
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Decision:
    """What a person decided, and when."""

    verdict: str
    by: str
    note: str
    now: datetime


def read_quarantine(conn: Connection, *, symbol: str | None = None, decided: bool = False) -> list[Refused]:
    """Refused bars that are not believed meanwhile, newest session first; with `decided` all there were."""
    query = select(quarantine).order_by(quarantine.c.session.desc(), quarantine.c.id)
    if symbol is not None:
        query = query.where(quarantine.c.symbol == symbol)
    if not decided:
        query = query.where(quarantine.c.verdict.is_(None))
    rows = conn.execute(query).all()
    versions = {symbol: Versions(conn, symbol) for symbol in {row.symbol for row in rows}}
    open_ones = [row for row in rows if decided or not _is_stored(versions[row.symbol], row)]
    return [_refused(row, versions[row.symbol]) for row in open_ones]


def read_held(conn: Connection) -> list[HeldBars]:
    """By symbol, the refused bars after its newest believed one of which nobody has said anything.

    Those of days that are no sessions lack nothing.
    """
    newest = {symbol: session.date() for symbol, session in newest_sessions(conn).items()}
    after = min(newest.values(), default=date.max)
    query = select(quarantine.c.symbol, quarantine.c.session, quarantine.c.reason).where(
        quarantine.c.verdict.is_(None), quarantine.c.session > after, quarantine.c.reason != Refusal.NOT_A_SESSION
    )
    held = defaultdict[str, list[tuple[date, str]]](list)
    for symbol, session, reason in conn.execute(query):
        if session > newest.get(symbol, date.max):
            held[symbol].append((session, reason))
    return [
        HeldBars(symbol, min(rows)[0], max(rows)[0], tuple(sorted({reason for _, reason in rows})))
        for symbol, rows in sorted(held.items())
    ]


def decide(conn: Connection, number: int, decision: Decision, *, complete: bool) -> Refused:
    """Notes the decision: an accepted bar is known from now on, a rejected one that is stored is withdrawn.

    Raises StoreError where that cannot be.

    `complete`: the bar's symbol is traded or a peer, so that it needs every price and a volume.
    """
    row = conn.execute(select(quarantine).where(quarantine.c.id == number)).one_or_none()
    if row is None:
        raise StoreError(f"quarantine has no bar {number}; `bars quarantine list` shows those there are.")
    if row.verdict is not None:
        raise StoreError(f"bar {number} was {row.verdict} by {row.decided_by} before; a decision stands.")
    seen_at, versions = next_sighting(conn, decision.now), Versions(conn, row.symbol)
    if decision.verdict == ACCEPTED:
        write_bars(conn, row.symbol, _checked(versions, row, complete=complete), seen_at=seen_at, provider=BY_HAND)
    elif _is_stored(versions, row):
        withdraw_bars(conn, row.symbol, {row.session: REJECTED}, seen_at=seen_at)
    told = {"verdict": decision.verdict, "decided_at": decision.now, "decided_by": decision.by, "note": decision.note}
    conn.execute(quarantine.update().where(quarantine.c.id == number).values(told))
    return next(one for one in read_quarantine(conn, symbol=row.symbol, decided=True) if one.id == number)


def read_accepted(conn: Connection, symbol: str) -> frozenset[date]:
    """The sessions of which a person has accepted a bar that rules refuse."""
    own = (quarantine.c.symbol == symbol) & (quarantine.c.verdict == ACCEPTED)
    return frozenset(conn.scalars(select(quarantine.c.session).where(own)))


def symbols_with_rejected(conn: Connection) -> set[str]:
    """Symbols of which a person rejected a bar."""
    return set(conn.scalars(select(quarantine.c.symbol).where(quarantine.c.verdict == REJECTED)))


def without_rejected(conn: Connection, symbol: str, bars: pd.DataFrame) -> pd.DataFrame:
    """`bars`, on their way into the store, less those that a person rejected: no rule lets them in again.

    A bar of other closes is another bar, unless its history was multiplied since, as it was.
    """
    own = (quarantine.c.symbol == symbol) & (quarantine.c.verdict == REJECTED)
    rows = conn.execute(select(quarantine).where(own, quarantine.c.session.is_not(None))).all()
    rows = [row for row in rows if pd.Timestamp(row.session) in bars.index]
    if not rows:
        return bars
    versions = Versions(conn, symbol)
    stored = versions.at(None)
    whole = pd.concat([stored[~stored.index.isin(bars.index)], bars]).sort_index()
    rejected = {pd.Timestamp(row.session) for row in rows if _is_among(versions, row, whole)}
    return bars[~bars.index.isin(rejected)]


def _is_stored(versions: Versions, row: Row[Any]) -> bool:
    return _is_among(versions, row, versions.at(None))


def _is_among(versions: Versions, row: Row[Any], bars: pd.DataFrame) -> bool:
    """The refused bar is one of them, by its closes: high and low may have been widened, or emptied."""
    stamp = pd.Timestamp(row.session)
    if row.session is None or stamp not in bars.index:
        return False
    bar = {name: bars.at[stamp, name] for name in CLOSES}
    return is_same(bar, _as_it_came(row)) or is_same(bar, _values_now(versions, row, bars))


def _as_it_came(row: Row[Any]) -> dict[str, float]:
    return {name: number(row.payload[name]) for name in BAR_COLUMNS}


def _values_now(versions: Versions, row: Row[Any], bars: pd.DataFrame) -> dict[str, float]:
    """In the scale of those bars; as it came where it has no date."""
    if row.session is None:
        return _as_it_came(row)
    return values_now(versions, Noted(row.session, row.payload, row.seen_at), bars)


def _checked(versions: Versions, row: Row[Any], *, complete: bool) -> pd.DataFrame:
    """The bar in the scale of now. Raises StoreError where no feature could be made of it."""
    told = _values_now(versions, row, versions.at(None))
    values = {name: np.array([value]) for name, value in told.items()}
    positive = class_rules(row.symbol).positive
    if not complete:
        mend_context(values, 0.0, spared=np.array([not positive]))
        widen(values)
    index = pd.DatetimeIndex([pd.Timestamp(row.session)], name="session").as_unit("us")
    try:
        bar = pd.DataFrame(values, index=index, dtype="float64")
        return check_bars(bar, complete=complete, positive=positive)
    except BarsError as error:
        fault = str(error).rpartition(": ")[2].partition(";")[0] if row.session else "no_date"
        raise StoreError(
            f"bar {row.id} cannot be accepted: it is {fault}, which no rule can be set aside for."
        ) from error


def _refused(row: Row[Any], versions: Versions) -> Refused:
    bars, stamp = versions.at(None), pd.Timestamp(row.session)
    closes = bars["close"]
    before = closes[closes.index < stamp] if row.session else closes.iloc[:0]
    after = closes[closes.index > stamp] if row.session else closes.iloc[:0]
    return Refused(
        **{name: getattr(row, name) for name in ("id", "symbol", "session", "reason", "seen_at")},
        values={name: json_number(value) for name, value in _values_now(versions, row, bars).items()},
        **{name: getattr(row, name) for name in ("verdict", "decided_at", "decided_by", "note")},
        close_before=float(before.iloc[-1]) if len(before) else None,
        close_after=float(after.iloc[0]) if len(after) else None,
    )
