"""Which bars were known at an instant: worked out a second time, so that no as-of cut is judged by itself."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from ensemble.arrays import Mask
from ensemble.features.matrix import Market
from ensemble.sessions import EXCHANGES


def known_bars(bars: pd.DataFrame, exchange: str, market: Market, row: int) -> Mask:
    """Which bars were known when the session in `row` of the market's calendar was decided, (n_bars,).

    A bar is known `delay_min` after its exchange's ordinary close, on the wall clock there. Those of the market's own
    exchange must also be of an earlier session, whatever an evening session did to its close.
    """
    decided = decision_instant(market, row)
    hours = EXCHANGES[exchange]
    zone, delay = ZoneInfo(hours.zone), timedelta(minutes=market.delay_min)
    days = pd.DatetimeIndex(bars.index)
    known = np.ones(len(days), dtype=np.bool_)
    # Bars a month older were known for sure, and a week younger were not; between them it is looked at one by one.
    known[days > pd.Timestamp(decided.date()) + timedelta(days=7)] = False
    first = int(days.searchsorted(pd.Timestamp(decided.date()) - delay - timedelta(days=31)))
    for place in range(first, len(days)):
        if known[place]:
            closed = datetime.combine(days[place].date(), hours.closes, zone)
            known[place] = closed.astimezone(ZoneInfo("UTC")) + delay <= decided
    if exchange == market.calendar.exchange:
        known &= np.asarray(days < market.calendar.sessions[row])
    return known


def decision_instant(market: Market, row: int) -> datetime:
    """When the session in `row` was decided, UTC."""
    day = market.calendar.sessions[row].date()
    zone = ZoneInfo(EXCHANGES[market.calendar.exchange].zone)
    return datetime.combine(day, market.decision_time, zone).astimezone(ZoneInfo("UTC"))
