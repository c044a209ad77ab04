"""A small market made up from a seed: what the pure tests compute on."""

from collections.abc import Callable
from datetime import time

import numpy as np
import pandas as pd
import pytest

from ensemble.features.matrix import Market
from ensemble.sessions import SessionCalendar
from ensemble.trading.limits import RiskLimits

MakeMarket = Callable[..., Market]
ZONE = "Asia/Kolkata"


@pytest.fixture(scope="session")
def make_market() -> MakeMarket:
    """make_market(sessions=420, seed=0): two symbols at home, an index at home, an ETF and a future abroad."""
    return _make_market


def _make_market(sessions: int = 420, seed: int = 0) -> Market:
    random = np.random.default_rng(seed)
    days = pd.date_range("2015-01-01", periods=sessions, freq="B", name="session", unit="us")
    factor = random.normal(0, 0.01, sessions)
    return Market(
        calendar=SessionCalendar("XNSE", days, _wall(days, "9h15min"), _wall(days, "15h30min")),
        bars={name: random_bars(days, random, factor) for name in ("AAA.NS", "BBB.NS")},
        context={
            "^INDEX": ("XNSE", random_bars(days, random, factor)),
            "ETF": ("XNYS", random_bars(days, random, factor)),
            "OIL=F": ("CMES", random_bars(days, random, np.zeros(sessions))),
        },
        decision_time=time(8, 45),
        delay_min=60,
        limits=RiskLimits(),
    )


def random_bars(days: pd.DatetimeIndex, random: np.random.Generator, factor: np.ndarray) -> pd.DataFrame:
    """A complete bars frame: a random walk that follows `factor`, with gaps, ranges and volumes."""
    close = 100 * np.exp(np.cumsum(factor + random.normal(0, 0.01, len(days))))
    opened = np.concatenate([[100.0], close[:-1]]) * np.exp(random.normal(0, 0.004, len(days)))
    spread = np.exp(np.abs(random.normal(0, 0.006, (2, len(days)))))
    return pd.DataFrame(
        {
            "open": opened,
            "high": np.maximum(opened, close) * spread[0],
            "low": np.minimum(opened, close) / spread[1],
            "close": close,
            "adj_close": close * 0.9,
            "volume": random.integers(1_000, 9_000, len(days)).astype(np.float64),
        },
        index=days,
    )


def _wall(days: pd.DatetimeIndex, clock: str) -> pd.DatetimeIndex:
    return (days + pd.Timedelta(clock)).tz_localize(ZONE).tz_convert("UTC").as_unit("us").rename(None)
