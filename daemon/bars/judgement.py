"""The verdict on what a feed brought: the sieve's, and where it doubts a bar for its neighbours, another with all else
that is known.

So a stored bar falls only beside everything that is stored, and one that a person has let in does not fall at all.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime

import numpy as np
import pandas as pd
from loguru import logger
from sqlalchemy import Connection

from daemon.bars.evidence import with_evidence
from daemon.services import Services
from ensemble.validation.doubts import doubted, let_in, since
from ensemble.validation.rules import BY_NEIGHBOURS, Series, Sifted
from ensemble.validation.sifting import sift_bars
from storage.bar_store import read_bars, withdraw_bars
from storage.engine import reading
from storage.feeds import History
from storage.quarantine_store import read_accepted


def judge(
    services: Services,
    series: Series,
    frame: pd.DataFrame,
    told: Mapping[str, History],
    stored: pd.DataFrame | None,
) -> Sifted:
    """The frame sifted. `told`: what the feed said of all symbols; `stored`: the stored bars of the same sessions."""
    rules, symbol = services.settings.bars, series.symbol
    sifted = sift_bars(frame, series, rules=rules)
    if not _needs_more(sifted, stored):  # as on most days
        return sifted
    first = frame.index.min()
    with reading(services.engine) as conn:
        known = read_bars(conn, [symbol])[symbol]
        before = known[known.index < first]
        closes = pd.concat([before["close"], sifted.kept["close"]])
        series = with_evidence(conn, services.settings, series, told, closes)
        accepted = read_accepted(conn, symbol)
    series = replace(series, vouched=accepted.union(pd.DatetimeIndex(known.index).date))
    sifted = since(sift_bars(pd.concat([before, frame]), series, rules=rules), first)
    let = [session for session in doubted(known, sifted).index if session.date() in accepted]
    return let_in(sifted, pd.DatetimeIndex(let), series)


def _needs_more(sifted: Sifted, stored: pd.DataFrame | None) -> bool:
    """Bars were refused for their neighbours, or are stored all the same; or an older session has news.

    For the first bars of those read again have no neighbours before them, so that false ones would pass.
    """
    if sifted.refused["reason"].isin(BY_NEIGHBOURS).any():
        return True
    if stored is None:
        return False
    older = sifted.kept["close"].loc[: stored.index[-1]]
    known = bool(np.isclose(older, stored["close"].reindex(older.index), rtol=1e-9).all())
    return not known or len(doubted(stored, sifted)) > 0


def withdraw_refused(conn: Connection, symbol: str, sifted: Sifted, *, seen_at: datetime) -> list[date]:
    """The sessions whose stored bar was refused now, and is believed no more; a line tells of them."""
    refused = sifted.refused["session"].dropna()
    if refused.empty:
        return []
    first = min([*refused, *sifted.kept.index[:1]])
    doubts = doubted(read_bars(conn, [symbol], first=first)[symbol], sifted)
    if doubts.empty:
        return []
    accepted, days = read_accepted(conn, symbol), pd.DatetimeIndex(doubts.index).date
    fallen = {day: reason for day, reason in zip(days, doubts["reason"], strict=True) if day not in accepted}
    gone = withdraw_bars(conn, symbol, fallen, seen_at=seen_at)
    for session in gone:
        logger.warning(
            "the bar of {} {} is believed no more ({}); `bars quarantine accept` brings it back",
            symbol,
            session,
            fallen[session],
        )
    return gone
