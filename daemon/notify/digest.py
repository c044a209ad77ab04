"""What a week came to, from what is stored of it."""

from datetime import date

import pandas as pd
from sqlalchemy import Connection, and_, func, select

from daemon.config.settings import Settings
from daemon.notify.notices import Week
from ensemble.sessions import SessionCalendar
from storage.account_store import newest_mark
from storage.account_tables import trades
from storage.tables import LIVE, bars, forecasts, outcomes


def week_ended(conn: Connection, settings: Settings, calendar: SessionCalendar, settled: pd.Timestamp) -> Week | None:
    """The calendar week whose last session was just settled; None for an earlier session, and before all are."""
    if calendar.next(settled).isocalendar()[:2] == settled.isocalendar()[:2]:
        return None
    last = settled.date()
    first = calendar.between((settled - pd.Timedelta(days=settled.weekday())).date(), last)[0].date()
    mark, before = newest_mark(conn, LIVE), newest_mark(conn, LIVE, before=first)
    if mark is None or mark.session != last:
        return None
    judged = _forecasts(conn, settings, first, last)
    return Week(
        first,
        last,
        settings.signals.label,
        *judged,
        trades=_closed_trades(conn, first, last),
        equity=mark.equity,
        equity_before=before.equity if before else None,
        held_pct=_held_pct(conn, settings.market.symbols, calendar.previous(first).date(), last),
    )


def _closed_trades(conn: Connection, first: date, last: date) -> int:
    closed = select(func.count()).select_from(trades).where(trades.c.exit_session.between(first, last))
    return conn.scalar(closed.where(trades.c.origin == LIVE)) or 0


def _forecasts(conn: Connection, settings: Settings, first: date, last: date) -> tuple[int, int, int, int]:
    """Of what is traded: how many there were in time, how many are resolved, were right, came true."""
    same = and_(
        *(outcomes.c[name] == forecasts.c[name] for name in ("session", "symbol", "label")),
    )
    query = (
        select(forecasts.c.probability, outcomes.c.outcome)
        .join_from(forecasts, outcomes, same, isouter=True)
        .where(forecasts.c.origin == LIVE, forecasts.c.label == settings.signals.label, forecasts.c.late == False)  # noqa: E712  # SQL
        .where(forecasts.c.session.between(first, last), forecasts.c.symbol.in_(settings.market.symbols))
    )
    rows = conn.execute(query).all()
    known = [(probability, outcome) for probability, outcome in rows if outcome is not None]
    right = sum((probability >= 0.5) == bool(outcome) for probability, outcome in known)  # a coin
    return len(rows), len(known), right, sum(outcome for _, outcome in known)


def _held_pct(conn: Connection, symbols: tuple[str, ...], before: date, last: date) -> float | None:
    """What the symbols gained from close to close, dividends included, their mean; None where a bar is missing."""
    query = select(bars.c.symbol, bars.c.session, bars.c.adj_close).where(
        bars.c.symbol.in_(symbols),
        bars.c.session.in_([before, last]),
        bars.c.superseded_at.is_(None),
        bars.c.withdrawn.is_(None),
    )
    close = {(row.symbol, row.session): row.adj_close for row in conn.execute(query)}
    gains = [
        100 * (close[symbol, last] / close[symbol, before] - 1)
        for symbol in symbols
        if (symbol, last) in close and (symbol, before) in close
    ]
    return sum(gains) / len(gains) if gains else None
