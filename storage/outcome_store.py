"""What really happened: 1 where a label came true, 0 where it did not."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

import numpy as np
import pandas as pd
from sqlalchemy import Connection, and_, bindparam, select

from storage.rows import insert_columns, raw_columns, read_frame
from storage.tables import Origin, forecasts, outcomes

_KEY = ["session", "symbol", "label"]


@dataclass(frozen=True, slots=True)
class OutcomeChanges:
    """What a write did: outcomes that were new, and outcomes that had been the other one."""

    added: int
    changed: int


def write_outcomes(conn: Connection, resolved: pd.DataFrame, *, resolved_at: datetime) -> OutcomeChanges:
    """Adds what is new and corrects what is not as kept, which happens when a feed revises a bar.

    `resolved`: the columns session, symbol, label, outcome (1, 0, or NaN for not known yet, which changes
    nothing); one row for each session, symbol and label.
    """
    known = resolved.dropna(subset="outcome")
    if known.empty:
        return OutcomeChanges(added=0, changed=0)
    columns, sessions = _columns(known), pd.DatetimeIndex(known["session"])
    kept = _kept(conn, first=sessions.min().date(), last=sessions.max().date())
    keys = zip(*(columns[name] for name in _KEY), strict=True)
    found = [kept.get(key) for key in keys]
    is_new = np.array([one is None for one in found])
    is_other = ~is_new & (np.array(found) != np.array(columns["outcome"]))
    added, changed = known[is_new], known[is_other]
    insert_columns(conn, outcomes, _columns(added) | {"resolved_at": [resolved_at] * len(added)})
    _correct(conn, changed, resolved_at)
    return OutcomeChanges(added=len(added), changed=len(changed))


def read_outcomes(
    conn: Connection, *, first: date, last: date, label: str | None = None, symbols: Sequence[str] | None = None
) -> pd.DataFrame:
    """What is known for the sessions first to last, in order.

    Columns: session (datetime64), symbol, label, outcome (1 or 0).
    """
    key = [outcomes.c[name] for name in _KEY]
    query = select(*key, outcomes.c.outcome).where(outcomes.c.session.between(first, last))
    if label is not None:
        query = query.where(outcomes.c.label == label)
    if symbols is not None:
        query = query.where(outcomes.c.symbol.in_(symbols))
    return read_frame(conn, query.order_by(*key))


def read_scored(conn: Connection, origin: Origin, *, first: date, last: date, label: str | None = None) -> pd.DataFrame:
    """The forecasts for the sessions first to last and what came of them, in order; late ones count for nothing.

    Columns: session (datetime64), symbol, label, probability, outcome (1, 0, or NaN where it is not known).
    """
    key = [forecasts.c[name] for name in _KEY]
    same = and_(*(forecasts.c[name] == outcomes.c[name] for name in _KEY))
    query = select(*key, forecasts.c.probability, outcomes.c.outcome).outerjoin(outcomes, same)
    of_origin = query.where(
        forecasts.c.origin == origin, forecasts.c.session.between(first, last), forecasts.c.late == 0
    )
    if label is not None:
        of_origin = of_origin.where(forecasts.c.label == label)
    frame = read_frame(conn, of_origin.order_by(*key))
    return frame.astype({"outcome": np.float64})


def _kept(conn: Connection, *, first: date, last: date) -> dict[tuple[object, ...], int]:
    """Session, symbol and label -> outcome."""
    query = select(*(outcomes.c[name] for name in _KEY), outcomes.c.outcome)
    sessions, *others, kept = raw_columns(conn, query.where(outcomes.c.session.between(first, last)))
    return dict(zip(zip(map(date.fromisoformat, sessions), *others, strict=True), kept, strict=True))


def _correct(conn: Connection, changed: pd.DataFrame, resolved_at: datetime) -> None:
    if changed.empty:
        return
    columns = {f"of_{name}": cells for name, cells in _columns(changed).items()}
    this = [outcomes.c[name] == bindparam(f"of_{name}") for name in _KEY]
    correction = outcomes.update().where(*this).values(outcome=bindparam("of_outcome"), resolved_at=resolved_at)
    conn.execute(correction, [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)])


def _columns(rows: pd.DataFrame) -> dict[str, list[object]]:
    return {
        "session": list(pd.DatetimeIndex(rows["session"]).date),
        "symbol": rows["symbol"].tolist(),
        "label": rows["label"].tolist(),
        "outcome": rows["outcome"].astype(int).tolist(),
    }
