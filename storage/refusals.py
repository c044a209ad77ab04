"""Refused bars as they are kept, each once: one is known again after a split or dividend has multiplied its history."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from functools import cached_property
from math import isfinite, isnan
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sqlalchemy import Connection, select

from ensemble.bars import BAR_COLUMNS
from ensemble.validation.doubts import SAME_WITHIN
from ensemble.validation.rescaling import CLOSES, PRICES, rescaled
from storage.action_store import Restatement, read_actions, read_restatements
from storage.bar_store import ADJUSTED_WITHIN, read_bars
from storage.column_types import session_text
from storage.rows import Row, insert_rows
from storage.tables import quarantine


class Noted(NamedTuple):
    """A refused bar as it came, and when."""

    session: date
    payload: Mapping[str, float | str | None]
    seen_at: datetime


def write_quarantine(conn: Connection, symbol: str, refused: pd.DataFrame, *, seen_at: datetime) -> int:
    """How many refusals were new. The same refusal of the same prices is kept once, as first seen.

    They are the same too where the stored bars beside them were multiplied since, as these are. `refused`: the columns
    session (NaT where the bar has none), reason and BAR_COLUMNS, as from `sift_bars`; the bars of the same answer must
    have been written.
    """
    if refused.empty:  # as on most days: asking the database would take longer than all the rest
        return 0
    rows = {_refusal_key(row): row for row in map(_refusal, refused.to_dict("records"))}
    kept = select(quarantine.c.session, quarantine.c.reason, quarantine.c.payload, quarantine.c.seen_at)
    known = defaultdict[tuple[str, str], list[Noted]](list)
    for session, reason, payload, noted_at in conn.execute(kept.where(quarantine.c.symbol == symbol)):
        rows.pop(_refusal_key({"session": session, "reason": reason, "payload": payload}), None)
        known[_session_key(session), reason].append(Noted(session, payload, noted_at))
    versions = Versions(conn, symbol)
    new = [
        row for row in rows.values() if not _is_known(versions, row, known[_session_key(row["session"]), row["reason"]])
    ]
    return insert_rows(conn, quarantine, [row | {"symbol": symbol, "seen_at": seen_at} for row in new])


class Versions:
    """A symbol's bars as they were known at several instants, each read once, and what multiplied them since."""

    def __init__(self, conn: Connection, symbol: str) -> None:
        """Nothing is read until it is asked for."""
        self._conn, self._symbol = conn, symbol
        self._bars = dict[datetime | None, pd.DataFrame]()

    def at(self, known_at: datetime | None) -> pd.DataFrame:
        """The bars as known then; None: now."""
        if known_at not in self._bars:
            self._bars[known_at] = read_bars(self._conn, [self._symbol], known_at=known_at)[self._symbol]
        return self._bars[known_at]

    @cached_property
    def ex_dates(self) -> pd.DatetimeIndex:
        """Of all actions, in order."""
        return pd.DatetimeIndex(sorted({one.session for one in read_actions(self._conn, [self._symbol])}))

    def reached(self, session: date, since: datetime) -> bool:
        """Whether a restatement that was seen after that instant went beyond that session."""
        return any(one.seen_at > since and one.last_session > session for one in self._restatements)

    @cached_property
    def _restatements(self) -> Sequence[Restatement]:
        return read_restatements(self._conn, self._symbol)


def values_now(versions: Versions, noted: Noted, now: pd.DataFrame) -> dict[str, float]:
    """Its values in the scale of the bars `now`: multiplied as the nearest bar before it was since then, else after.

    As the one after it where an action falls on its session, or between: such a one multiplied the bars before alone.
    Where none after it was known then, it was multiplied if a later restatement went beyond it.
    """
    values = {name: number(noted.payload[name]) for name in BAR_COLUMNS}
    stamp, then = pd.Timestamp(noted.session), versions.at(noted.seen_at)
    shared = then.index.intersection(now.index)
    place = int(shared.searchsorted(stamp))
    before, near = shared[:place][-1:], shared[shared > stamp][:1]
    went_ex = ((versions.ex_dates > before.max()) & (versions.ex_dates <= stamp)).any()
    if len(before) and (not went_ex or (near.empty and versions.reached(noted.session, noted.seen_at))):
        near = before
    if near.empty:
        return values
    with np.errstate(divide="ignore", invalid="ignore"):  # a future's close may have been 0
        ratios = now.loc[near, list(CLOSES)].to_numpy()[0] / then.loc[near, list(CLOSES)].to_numpy()[0]
    moved = np.isfinite(ratios) & (ratios > 0) & (np.abs(ratios - 1) > ADJUSTED_WITHIN)
    return rescaled(values, *np.where(moved, ratios, 1.0).tolist())


def is_same(left: Mapping[Any, Any], right: Mapping[Any, Any], names: tuple[str, ...] = CLOSES) -> bool:
    """The prices of these names are equal but for a feed's rounding, missing where the other's are."""
    one, other = ([float(bar[name]) for name in names] for bar in (left, right))
    return bool(np.isclose(one, other, rtol=SAME_WITHIN, atol=0.0, equal_nan=True).all())


def number(value: float | str | None) -> float:
    """What the payload's JSON stands for."""
    return float("nan") if value is None else float(value)


def _session_key(session: date | None) -> str:
    """The session as text; empty where a bar had none."""
    return "" if session is None else session_text(session)


def _is_known(versions: Versions, row: Row, kept: Sequence[Noted]) -> bool:
    if row["session"] is None or not kept:
        return False
    values, now = {name: number(value) for name, value in row["payload"].items()}, versions.at(None)
    prices = (*PRICES, "adj_close")
    return any(is_same(values, values_now(versions, one, now), prices) for one in kept)


def _refusal(bar: Mapping[Any, Any]) -> Row:
    payload = {name: json_number(bar[name]) for name in BAR_COLUMNS}
    session = None if pd.isna(bar["session"]) else bar["session"]
    return {"session": session, "reason": str(bar["reason"]), "payload": payload}


def _refusal_key(row: Mapping[Any, Any]) -> tuple[str, str, str]:
    return _session_key(row["session"]), row["reason"], json.dumps(row["payload"], sort_keys=True)


def json_number(value: float) -> float | str | None:
    """JSON has no infinity: it is written out."""
    return float(value) if isfinite(value) else None if isnan(value) else str(value)
