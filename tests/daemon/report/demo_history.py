"""The demo with a past: weeks lived through session by session, and a backtest before them, on the sample's bars."""

from datetime import date, timedelta
from pathlib import Path

import pandas as pd
from sqlalchemy import Engine

from daemon.backtests.backtest import backtest
from daemon.clock import FixedClock
from daemon.config.settings import Settings, load_settings
from daemon.console.progress import silent
from daemon.services import Services
from daemon.sessions.desk import home_calendar
from daemon.sessions.reconcile import reconcile
from storage.engine import open_store
from storage.feeds import open_feed
from storage.model_store import ModelStore

DEMO = Path(__file__).parents[3] / "docs" / "examples" / "demo.toml"
THRESHOLD = "\n[signals]\nmin_confidence = 0.53\n"
"""Below the default, which the sample's forecasts never reach: something has to be traded to be shown."""
LIVE = (date(2018, 10, 1), date(2018, 12, 28))
REPLAYED = (date(2017, 7, 3), date(2018, 9, 28))
NOW = pd.Timestamp("2018-12-28 22:00", tz="UTC").to_pydatetime()


def write_configuration(folder: Path) -> Settings:
    """The demo's with a lower threshold, its state in `folder`."""
    config = folder / "config.toml"
    demo = DEMO.read_text(encoding="utf-8").replace("\n[schedule]", f"{THRESHOLD}\n[schedule]")
    config.write_text(demo, encoding="utf-8")
    settings = load_settings(config, {})
    settings.storage.state_dir.mkdir(exist_ok=True)
    return settings


def live_through(settings: Settings, span: tuple[date, date] = LIVE) -> None:
    """Decides each session when it is due and settles it once it has closed."""
    calendar = home_calendar(settings, NOW)
    decisions = dict(zip(calendar.sessions, calendar.decisions(settings.schedule.decision_time), strict=True))
    late = timedelta(minutes=5)
    for session in calendar.between(*span):
        closed = calendar.closes[calendar.position(session)] + timedelta(minutes=settings.feed.delay_min)
        for moment in (decisions[session], closed):
            _at(settings, moment + late)


def replay(settings: Settings, span: tuple[date, date] = REPLAYED) -> None:
    """The backtest."""
    engine = open_store(settings.storage.database_url)
    try:
        backtest(_services(settings, engine, pd.Timestamp(NOW)), first=span[0], last=span[1])
    finally:
        engine.dispose()


def _at(settings: Settings, moment: pd.Timestamp) -> None:
    engine = open_store(settings.storage.database_url)
    try:
        reconcile(_services(settings, engine, moment))
    finally:
        engine.dispose()


def _services(settings: Settings, engine: Engine, moment: pd.Timestamp) -> Services:
    models, feed = ModelStore(settings.storage.models_dir), open_feed(settings.feed)
    return Services(settings, FixedClock(moment.to_pydatetime()), engine, models, feed, silent)
