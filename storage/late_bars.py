"""Bars that came first after their session had been settled without them, and the bars of then with them.

A daemon that had had such a bar in time would have read it beside the others of that day. So it is put among the bars
as they were known then and, where the feed has scaled its history since, brought back to their scale.
"""

from collections.abc import Sequence
from datetime import date, datetime

import numpy as np
import pandas as pd
from sqlalchemy import Connection, and_, func, select

from ensemble.validation.rescaling import CLOSES, rescaled
from storage.bar_store import read_bars
from storage.run_store import CLOSED
from storage.tables import Origin, bars, runs, signals

COMPARED_BARS = 3
"""A restatement scales all older bars, a correction one of them."""
EQUAL_WITHIN = 1e-9


def came_late(conn: Connection, origin: Origin, symbols: Sequence[str], *, since: date) -> list[tuple[date, str]]:
    """Session and symbol of each bar from session `since` on that no settlement has known yet, oldest first.

    Of the symbols that were decided about in that session alone: the history of a new one is not late.
    """
    came = (
        select(bars.c.symbol, bars.c.session, func.min(bars.c.seen_at).label("seen_at"))
        .where(bars.c.symbol.in_(symbols), bars.c.session >= since)
        .group_by(bars.c.symbol, bars.c.session)
        .subquery()
    )
    settled = and_(runs.c.session == came.c.session, runs.c.origin == origin, runs.c.kind == "settle")
    decided = and_(*(signals.c[name] == came.c[name] for name in ("session", "symbol")), signals.c.origin == origin)
    query = (
        select(came.c.session, came.c.symbol)
        .join_from(came, runs, and_(settled, runs.c.status.in_(CLOSED), runs.c.events_known.is_not(None)))
        .join(signals, decided)
        .where(came.c.seen_at > func.coalesce(runs.c.late_known_at, runs.c.bars_known_at))
    )
    return [(session, symbol) for session, symbol in conn.execute(query.order_by(*query.selected_columns))]


def read_bars_with_late(
    conn: Connection, symbols: Sequence[str], *, known_at: datetime, late_known_at: datetime, first: date | None = None
) -> dict[str, pd.DataFrame]:
    """The bars as known at `known_at` and, in their scale, those that came first between then and `late_known_at`."""
    then = read_bars(conn, symbols, first=first, known_at=known_at)
    later = read_bars(conn, symbols, first=first, known_at=late_known_at)
    return {symbol: _with_late(then[symbol], later[symbol]) for symbol in symbols}


def _with_late(then: pd.DataFrame, later: pd.DataFrame) -> pd.DataFrame:
    late = later.loc[later.index.difference(then.index)].copy()
    if late.empty:
        return then
    both = then.index.intersection(later.index)
    for session in late.index:
        near = both[both < session][-COMPARED_BARS:]
        scale = {name: _scale(then.loc[near, name], later.loc[near, name]) for name in CLOSES}
        late.loc[session] = pd.Series(rescaled(late.loc[session], scale["close"], scale["adj_close"]))
    whole: pd.DataFrame = pd.concat([then, late]).sort_index()
    return whole


def _scale(then: "pd.Series[float]", later: "pd.Series[float]") -> float:
    """What a price of now is to be multiplied by; exactly 1 where nothing was scaled."""
    if then.empty:
        return 1.0
    ratio = float(np.median(then.to_numpy() / later.to_numpy()))
    return 1.0 if abs(ratio - 1) <= EQUAL_WITHIN else ratio
