"""A young bar is believed once two reads of it were equal, where feed.confirm_min asks for that; an older one at once.

Feeds correct the newest bar in the hours after the close. A session that waits for its bar is settled some minutes
later, by the bar that a backtest will see; no decision waits, for by then the bar is old enough.
"""

from datetime import timedelta

import pandas as pd
from sqlalchemy import Connection

from daemon.services import Services, context_symbols
from ensemble.sessions import available_at
from storage.bar_store import equal_rows
from storage.first_read_store import read_first_reads, write_first_reads

APART = timedelta(minutes=10)
"""Between two reads that count as two: a feed's own cache gives the same answer for some minutes."""


def confirmed(conn: Connection, services: Services, symbol: str, bars: pd.DataFrame) -> pd.DataFrame:
    """Those of `bars`, which are not stored so, that may be believed now; the others are kept until the next read."""
    feed, market, now = services.settings.feed, services.settings.market, services.clock.now()
    if not feed.confirm_min or bars.empty:
        return bars
    exchange = context_symbols(market.context).get(symbol, market.exchange)
    own = services.settings.calendar.corrections.get(exchange, ())
    old_at = available_at(pd.DatetimeIndex(bars.index), exchange, delay_min=feed.delay_min + feed.confirm_min, own=own)
    young = bars[old_at > pd.Timestamp(now)]
    before, since = read_first_reads(conn, symbol)
    equal = young.index[equal_rows(young, before.reindex(young.index))]
    read_at = dict.fromkeys(young.index, now) | {session: since[session] for session in equal}
    waiting = young[[now - read_at[session] < APART for session in young.index]]
    write_first_reads(conn, symbol, waiting, read_at)
    return bars.drop(index=waiting.index)
