"""What the benchmarks compute on: the shipped symbols, from real bars where they lie beside the checkout."""

import json
import tempfile
from datetime import UTC, date, datetime
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

from daemon.bars.ingest import ingest
from daemon.clock import FixedClock
from daemon.config.settings import Settings, load_settings
from daemon.console.progress import silent
from daemon.services import Services
from daemon.sessions.desk import home_calendar, open_desk
from ensemble.panel import Panel
from ensemble.sessions import load_calendar
from ensemble.trading.limits import RiskLimits
from ensemble.windows import Fold, WalkForward, Window, training_window
from storage.engine import open_store
from storage.feeds import open_feed
from storage.model_store import ModelStore

ROOT = Path(__file__).parents[2]
REAL_BARS = (ROOT / "../shared/market").resolve()
LAST = date(2021, 12, 31)
"""The real bars end here, and so do the made-up ones."""
MIN_SESSIONS = 120


def bars_name() -> str:
    """For the table: which bars these figures are from."""
    return "real bars" if REAL_BARS.is_dir() else "made-up bars"


def write_installation(folder: Path, tables: str = "") -> Path:
    """Path of a config.toml in `folder` with the shipped symbols and `tables`; made-up bars where there are no real."""
    bars = REAL_BARS if REAL_BARS.is_dir() else folder / "bars"
    if not REAL_BARS.is_dir() and not bars.is_dir():
        write_made_up_bars(bars, Settings())
    config = folder / "config.toml"
    feed = f'[feed]\nprovider = "files"\nfiles = {{ path = {json.dumps(str(bars))} }}\n'
    config.write_text(feed + tables, encoding="utf-8")
    return config


@lru_cache(maxsize=1)
def load_panel() -> Panel:
    """The panel of the shipped symbols over all their history, seven stocks and about 3,950 sessions."""
    with tempfile.TemporaryDirectory() as folder:
        settings = load_settings(write_installation(Path(folder)), {})
        settings.storage.state_dir.mkdir()
        engine = open_store(settings.storage.database_url)
        try:
            clock = FixedClock(datetime(LAST.year, LAST.month, LAST.day, 20, tzinfo=UTC))
            models = ModelStore(settings.storage.models_dir)
            services = Services(settings, clock, engine, models, open_feed(settings.feed), silent)
            calendar = home_calendar(settings, clock.now())
            ingest(services, calendar)
            last = calendar.between(settings.market.history_start, LAST)[-1]
            return open_desk(services, calendar, last=last).panel
        finally:
            engine.dispose()


def month_window(panel: Panel, month: str, *, years: int) -> tuple[Fold, Window]:
    """The month's fold and what its members learn from."""
    fold = WalkForward(window_years=years, min_sessions=MIN_SESSIONS).fold(panel.sessions, month)
    return fold, training_window(panel, fold, RiskLimits())


def last_months(count: int, *, until: str = "2021-12") -> tuple[str, ...]:
    """The `count` months up to and with `until`, oldest first."""
    return tuple(str(month) for month in pd.period_range(end=until, periods=count, freq="M"))


def write_made_up_bars(folder: Path, settings: Settings) -> None:
    """One SYMBOL.csv for each symbol of the configuration: random walks that share a factor; the same every time."""
    folder.mkdir(parents=True)
    random = np.random.default_rng(0)
    market = settings.market
    home = load_calendar(market.exchange, first=market.history_start, last=LAST).sessions
    abroad = pd.date_range(market.history_start, LAST, freq="B")
    factor = pd.Series(random.normal(0, 0.01, len(abroad)), index=abroad)
    at_home = {*market.symbols, *market.peers, *market.context.get(market.exchange, ())}
    for symbol in market.every_symbol:
        days = home if symbol in at_home else abroad
        bars = _walk(days, factor.reindex(days).fillna(0).to_numpy(), random)
        bars.to_csv(folder / f"{symbol}.csv", index_label="Date", date_format="%Y-%m-%d")


def _walk(days: pd.DatetimeIndex, moves: np.ndarray, random: np.random.Generator) -> pd.DataFrame:
    gap, day = 0.5 * moves + random.normal(0, 0.004, len(days)), random.normal(0, 0.01, len(days))
    close = 100 * np.exp(np.cumsum(gap + day))
    opened = close / np.exp(day)
    spread = np.exp(np.abs(random.normal(0, 0.005, (2, len(days)))))
    columns = {
        "Open": opened,
        "High": np.maximum(opened, close) * spread[0],
        "Low": np.minimum(opened, close) / spread[1],
        "Close": close,
        "Adj Close": close,
        "Volume": random.integers(1_000, 9_000, len(days)).astype(np.float64),
    }
    return pd.DataFrame(columns, index=days).round(6)
