"""What of a feed's answer is not even looked at: bars that are not final, another provider's, in another currency."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pandas as pd
from sqlalchemy import Connection

from daemon.config.settings import Settings
from daemon.services import Services
from ensemble.sessions import available_at, trading_hours
from storage.bar_store import newest_of
from storage.feeds import History

CURRENCIES = {
    "XNSE": "INR",
    "XBOM": "INR",
    "XNYS": "USD",
    "XNAS": "USD",
    "XTKS": "JPY",
    "XHKG": "HKD",
    "XSHG": "CNY",
    "XSES": "SGD",
    "XFRA": "EUR",
    "XLON": "GBp",
}
"""What shares are quoted in, by exchange; Yahoo writes GBp for pence."""


def of_another_provider(conn: Connection, services: Services) -> dict[str, str]:
    """Symbols whose stored bars are another provider's, with a line each: two providers never make one series.

    They adjust, round and date differently, so that the joint would look like a move of the market.
    """
    refused = {}
    for symbol, newest in newest_of(conn, services.settings.market.every_symbol).items():
        provider = newest.provider
        if provider not in (None, services.feed.name):
            refused[symbol] = (
                f"the stored bars of {symbol} are from {provider}, and feed.provider was {services.feed.name}; set it "
                f"back to {provider}, or begin with an empty storage.state_dir: one series has one provider."
            )
    return refused


def newest_final(settings: Settings, exchange: str, now: datetime) -> pd.Timestamp:
    """The newest day whose bar is final at `now`, as then that of every older one is: they close in order."""
    days = pd.date_range(now.date() - timedelta(days=3), periods=6, unit="us")
    own = settings.calendar.corrections.get(exchange, ())
    known_at = available_at(days, exchange, delay_min=settings.feed.delay_min, own=own)
    return days[known_at <= pd.Timestamp(now)][-1]


def between(bars: pd.DataFrame, first: pd.Timestamp, last: pd.Timestamp) -> pd.DataFrame:
    """The bars from `first` to `last`; one whose date is unreadable stays, to be refused."""
    days = bars.index.to_numpy()  # compared in a tenth of the time that an index takes
    outside = (days < first.to_datetime64()) | (days > last.to_datetime64())
    return bars[~outside] if outside.any() else bars


def mistrust(settings: Settings, symbol: str, history: History, now: datetime) -> str | None:
    """Why nothing of the answer is taken; None where all is well, or the feed does not say.

    Only what trades at home is judged: indices, futures and currencies follow habits of their own.
    """
    market = settings.market
    if symbol not in (*market.symbols, *market.peers):
        return None
    currency = settings.feed.currency or CURRENCIES.get(market.exchange)
    if None not in (currency, history.currency) and history.currency != currency:
        return (
            f"{symbol} came in {history.currency}, and {market.exchange} is quoted in {currency}; check the symbol, "
            "or set feed.currency if it is right."
        )
    home = trading_hours(market.exchange).zone
    if history.zone is not None and not _same_dates(history.zone, home, now):
        return (
            f"{symbol} came with the dates of {history.zone}, and {market.exchange} keeps those of {home}: its bars "
            "might be a day off; check the symbol."
        )
    return None


def _same_dates(zone: str, home: str, now: datetime) -> bool:
    """The two keep the same time, whatever they are called: Asia/Calcutta is Asia/Kolkata."""
    try:
        return now.astimezone(ZoneInfo(zone)).utcoffset() == now.astimezone(ZoneInfo(home)).utcoffset()
    except (ZoneInfoNotFoundError, ValueError):
        return False
