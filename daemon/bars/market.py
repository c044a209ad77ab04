"""The market as it is stored: the bars that a desk works with, as known at an instant."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import pandas as pd
from sqlalchemy import Connection, Engine

from daemon.bars.demergers import price_steps, read_demergers
from daemon.config.settings import Settings
from daemon.services import context_symbols
from ensemble.bars import above_zero
from ensemble.features.matrix import Market
from ensemble.sessions import SessionCalendar
from ensemble.trading.continuity import Steps, adjusted_for
from storage.bar_store import read_bars
from storage.engine import reading
from storage.late_bars import read_bars_with_late


@dataclass(frozen=True, slots=True)
class Seen:
    """Which bars are known: those seen until an instant, and those that came late."""

    known_at: datetime | None = None
    """None: all that are stored."""
    late_known_at: datetime | None = None
    """Until when bars that came after `known_at` for the first time are known as well."""


def load_market(
    engine: Engine,
    settings: Settings,
    calendar: SessionCalendar,
    *,
    context_from: date | None = None,
    seen: Seen = Seen(),  # frozen
) -> Market:
    """The stored bars up to the last session of `calendar`, as `seen`; of the context those from `context_from` on.

    Their adjusted closes go on over demergers, and over what people stated.
    """
    last = calendar.sessions[-1]
    begin = settings.market.history_start
    panel, exchanges = (*settings.market.symbols, *settings.market.peers), context_symbols(settings.market.context)
    with reading(engine) as conn:
        bars = _read(conn, panel, begin, seen)
        needed_from = begin if context_from is None else max(begin, context_from)
        context = _read(conn, list(exchanges), needed_from, seen)
        steps = price_steps(read_demergers(conn, settings, known_at=seen.known_at))
    context = continued({symbol: above_zero(frame.loc[:last]) for symbol, frame in context.items()}, steps)
    return Market(
        calendar=calendar,
        bars=continued({symbol: frame.loc[:last] for symbol, frame in bars.items()}, steps),
        context={symbol: (exchanges[symbol], frame) for symbol, frame in context.items()},
        decision_time=settings.schedule.decision_time,
        delay_min=settings.feed.delay_min,
        limits=settings.labels.barrier.limits,
        corrections=settings.calendar.corrections,
    )


def continued(bars: Mapping[str, pd.DataFrame], steps: Steps) -> dict[str, pd.DataFrame]:
    """The bars frames by symbol, their adjusted closes going on over `steps`."""
    return {symbol: adjusted_for(frame, steps.get(symbol, {})) for symbol, frame in bars.items()}


def _read(conn: Connection, symbols: Sequence[str], first: date, seen: Seen) -> Mapping[str, pd.DataFrame]:
    if seen.known_at is None or seen.late_known_at is None:
        return read_bars(conn, symbols, first=first, known_at=seen.known_at)
    return read_bars_with_late(conn, symbols, first=first, known_at=seen.known_at, late_known_at=seen.late_known_at)
