"""Which series that are looked at say nothing any more: their columns are unknown, and somebody should know."""

from collections.abc import Mapping
from datetime import datetime

import pandas as pd

from daemon.config.settings import Settings
from daemon.services import context_symbols
from ensemble.features.as_of import MAX_AGE
from ensemble.sessions import available_at


def silent_context(newest: Mapping[str, pd.Timestamp], settings: Settings, now: datetime) -> list[str]:
    """A few words for each context series that is unknown at `now`; `newest`: of each symbol with bars, the last one.

    As in "^FTSE since 2021-09-03", and "BNO: no bar".
    """
    silent = []
    for symbol, exchange in context_symbols(settings.market.context).items():
        if symbol not in newest:
            silent.append(f"{symbol}: no bar")
            continue
        own = settings.calendar.corrections.get(exchange, ())
        session = pd.DatetimeIndex([newest[symbol]])
        known_at = available_at(session, exchange, delay_min=settings.feed.delay_min, own=own)[0]
        if pd.Timestamp(now) - known_at > MAX_AGE:
            silent.append(f"{symbol} since {newest[symbol]:%Y-%m-%d}")
    return silent
