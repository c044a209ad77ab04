"""Does the daemon get what it forecasts from: bars from the feed, and a model of the month."""

import time
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta

import pandas as pd
from sqlalchemy import Engine

from daemon.bars.context_age import silent_context
from daemon.config.settings import Settings
from daemon.doctor.finding import Finding, fail, ok, warn
from daemon.models.control import version_faults
from daemon.services import recipe_of
from daemon.sessions.desk import home_calendar
from ensemble.counted import counted
from ensemble.windows import month_of
from storage.engine import reading
from storage.feeds import FeedError, open_feed
from storage.model_folder import manifest_keys
from storage.model_index import find_model
from storage.model_store import ModelStore

ASKED_DAYS = 14
"""A fetch that proves the feed need not be long."""


def age_finding(settings: Settings, newest: Mapping[str, pd.Timestamp], now: datetime) -> Finding:
    """How far the stored bars of what is traded are behind, without asking the feed."""
    missing = [symbol for symbol in settings.market.symbols if symbol not in newest]
    if missing:
        return warn("feed", f"no bar of {', '.join(missing)} yet", "`reliance-daemon run-once` reads them.")
    calendar = home_calendar(settings, now)
    known_at = calendar.known_at(calendar.sessions, delay_min=settings.feed.delay_min)
    expected = calendar.sessions[known_at <= pd.Timestamp(now)][-1]
    oldest = min(newest[symbol] for symbol in settings.market.symbols)
    behind = len(calendar.sessions[(calendar.sessions > oldest) & (calendar.sessions <= expected)])
    seen = f"newest bar {oldest:%Y-%m-%d}, {counted(behind, 'session')} behind"
    if behind == 0:
        return ok("feed", f"newest bar {oldest:%Y-%m-%d}, none is missing")
    if behind < 1 + settings.signals.max_bar_age_sessions:
        return warn("feed", seen, "`run-once` reads them; `doctor --feed` asks the feed now.")
    return fail("feed", f"{seen}: nothing is entered", "is the daemon running? `doctor --feed` asks the feed now.")


def context_finding(settings: Settings, newest: Mapping[str, pd.Timestamp], now: datetime) -> Finding:
    """Which series that are looked at have not been heard of for long?"""
    silent = silent_context(newest, settings, now)
    if not silent:
        return ok("context", "every series has a recent bar")
    remedy = "does it still trade, and is it spelt right? Leave it out of market.context, or wait (docs/universe.md)."
    return warn("context", f"unknown to the forecasts: {', '.join(silent)}", remedy)


def answer_finding(settings: Settings, today: date, seconds: Callable[[], float] = time.monotonic) -> Finding:
    """Does the feed give bars of everything that is traded? It is really asked; nothing is kept."""
    began = seconds()
    symbols = list(settings.market.symbols)
    try:
        answers = open_feed(settings.feed).fetch(symbols, first=today - timedelta(days=ASKED_DAYS), last=today)
    except FeedError as error:
        return fail("feed answer", str(error), "mend [feed] in the configuration.")
    took = f"{settings.feed.provider}, {seconds() - began:.1f} s"
    newest = []
    for symbol in symbols:
        answer = answers[symbol]
        if isinstance(answer, FeedError):
            return fail("feed answer", f"{took}: {answer}", "check the network, and the symbol; try again later.")
        if answer.bars.empty:
            return fail("feed answer", f"{took}: no bar of {symbol} in {ASKED_DAYS} days", "does it still trade?")
        newest.append(answer.bars.index.max())
    return ok("feed answer", f"{took}: bars of {', '.join(symbols)} to {min(newest):%Y-%m-%d}")


def model_finding(engine: Engine, settings: Settings, now: datetime) -> Finding:
    """Is the model there that the next session is decided by, and is it whole?"""
    calendar = home_calendar(settings, now)
    month = settings.ensemble.serving(month_of(calendar.next(now.date() - timedelta(days=1))))
    with reading(engine) as conn:
        entry = find_model(conn, month=month, recipe=recipe_of(settings).digest())
    if entry is None:
        remedy = "the next session trains it, which takes minutes; `run-once` does it before."
        return warn("models", f"none of {month} by this configuration and code", remedy)
    faults = version_faults(ModelStore(settings.storage.models_dir, read_only=True), entry.model_id)
    if faults:
        remedy = "the version before it serves until it is made again; `models verify` looks at all of them."
        return warn("models", faults[0], remedy)
    parts = counted(len(manifest_keys(entry.manifest)), "part")
    return ok("models", f"{entry.model_id} serves {month}; {parts}, all whole")
