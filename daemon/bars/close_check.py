"""Two providers, one close: where they differ a line says so, and `status` until they agree. Nothing is corrected."""

from dataclasses import replace

import pandas as pd
from loguru import logger
from sqlalchemy import Connection

from daemon.bars.feed_guard import ask
from daemon.console.redaction import one_line
from daemon.services import Services
from ensemble.sessions import SessionCalendar
from storage.bar_store import read_bars
from storage.engine import reading, transaction
from storage.feed_store import CloseCheck, read_close_checks, replace_close_checks
from storage.feeds import FeedError, History

CHECKED_SESSIONS = 5


def check_closes(services: Services, calendar: SessionCalendar) -> None:
    """Compares the newest closes of what is traded with those of feed.check_provider, where there is one.

    The other provider's failure is a line in the log, and no harm.
    """
    other, symbols = services.check_feed, services.settings.market.symbols
    if other is None:
        return
    today = services.clock.now().date()
    first = calendar.previous(today, CHECKED_SESSIONS).date()
    with reading(services.engine) as conn:
        stored = read_bars(conn, symbols, first=first)
    asked = [symbol for symbol, bars in stored.items() if len(bars)]
    try:
        answers = ask(replace(services, feed=other), calendar, asked, first=first, last=today)
    except FeedError as error:
        logger.warning("closes were not checked: {}", one_line(str(error)))
        return
    with transaction(services.engine) as conn:
        for symbol, answer in answers.items():
            if isinstance(answer, History):
                _compare(conn, services, symbol, pd.DataFrame({"ours": stored[symbol]["close"]}), answer)
            else:
                logger.warning("closes of {} were not checked: {}", symbol, one_line(str(answer)))


def _compare(conn: Connection, services: Services, symbol: str, closes: pd.DataFrame, history: History) -> None:
    """Keeps the differences over the limit, and tells those that were not known."""
    provider, limit_bp = services.settings.feed.check_provider or "", services.settings.feed.check_limit_bp
    theirs = history.bars["close"]
    both = closes.join(theirs[~theirs.index.duplicated(keep=False)].rename("theirs")).dropna()
    both = both[both["theirs"] > 0.0]
    told = {check.session for check in read_close_checks(conn, [symbol]) if check.provider == provider}
    found = []
    for session, ours, other in both.itertuples():
        difference_bp = (other / ours - 1.0) * 1e4
        if abs(difference_bp) <= limit_bp:
            continue
        check = CloseCheck(symbol, session.date(), provider, ours, other, difference_bp, services.clock.now())
        found.append(check)
        if check.session not in told:
            logger.warning("{}", difference_text(check, services.feed.name))
    replace_close_checks(conn, symbol, list(pd.DatetimeIndex(both.index).date), provider, found)


def difference_text(check: CloseCheck, provider: str) -> str:
    """As in "close of TCS.NS on 2021-10-01 was 3720.00 by yahoo and 3690.00 by nse (-80.6 bp)"."""
    return (
        f"close of {check.symbol} on {check.session} was {check.close:.2f} by {provider} and {check.other_close:.2f} "
        f"by {check.provider} ({check.difference_bp:+.1f} bp)"
    )
