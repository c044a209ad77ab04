"""Forecasts of a known strength, and markets that can be traded, made up from a seed."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, time

import numpy as np
import pandas as pd
import pytest

from ensemble.evaluation.replay import TradedMarket, TradedSessions, traded_sessions
from ensemble.evaluation.scored import Scored
from ensemble.sessions import load_calendar

MakeScored = Callable[..., Scored]


@dataclass(frozen=True, slots=True)
class MadeTraded:
    """Random bars, and their sessions as they are traded: all but the first, whose close the first decision needs."""

    bars: dict[str, pd.DataFrame]
    traded: TradedSessions
    index: pd.DatetimeIndex


MakeTraded = Callable[..., MadeTraded]


@pytest.fixture(scope="session")
def make_traded() -> MakeTraded:
    """make_traded("A", "B", sessions=250, seed=0, holes=True): of each, one bar in twenty is missing, one is locked."""
    return _make_traded


def _make_traded(*symbols: str, sessions: int = 250, seed: int = 0, holes: bool = True) -> MadeTraded:
    calendar = load_calendar("XNSE", first=date(2012, 1, 2), last=date(2021, 12, 31))
    index = calendar.sessions[: sessions + 1].rename("session")
    random = np.random.default_rng(seed)
    bars = {symbol: _walk(index, random, holes=holes) for symbol in symbols}
    market = TradedMarket(calendar, bars, time(8, 45), 60)
    return MadeTraded(bars, traded_sessions(market, index[1].date(), index[-1].date()), index[1:])


def _walk(index: pd.DatetimeIndex, random: np.random.Generator, *, holes: bool) -> pd.DataFrame:
    day, gap = random.normal(0, 0.015, len(index)), random.normal(0.0005, 0.006, len(index))
    close = 200 * np.exp(np.cumsum(day + gap))
    opened = close / np.exp(day)
    reach = np.exp(np.abs(random.normal(0, 0.006, (2, len(index)))))
    prices = {"open": opened, "high": np.maximum(opened, close) * reach[0], "low": np.minimum(opened, close) / reach[1]}
    bars = pd.DataFrame(prices | {"close": close, "adj_close": close, "volume": 1.0}, index=index)
    if not holes:
        return bars
    kind = random.random(len(index))
    locked = kind < 0.05
    bars.loc[locked, ["high", "low", "close", "adj_close"]] = np.tile(bars.loc[locked, ["open"]].to_numpy(), 4)
    return bars[(kind >= 0.05) & (kind < 0.95) | locked]


@pytest.fixture(scope="session")
def make_scored() -> MakeScored:
    """make_scored(strength=0, sessions=300, symbols=1, together=0, horizon=1, drift=0, seed=0)."""
    return _make_scored


def _make_scored(
    strength: float = 0.0,
    sessions: int = 300,
    symbols: int = 1,
    *,
    together: float = 0.0,
    horizon: int = 1,
    drift: float = 0.0,
    seed: int = 0,
) -> Scored:
    """Outcomes are signs of moves of unit variance; `strength` of them is known, and the forecasts are calibrated.

    `together`: correlation of the symbols' moves and of what is known. `horizon`: moves and knowledge are means of as
    many neighbours, scaled to unit variance. `drift`: mean of the moves.
    """
    random = np.random.default_rng(seed)

    def shocks() -> np.ndarray:
        shared, own = random.normal(size=sessions + horizon - 1), random.normal(size=(symbols, sessions + horizon - 1))
        mixed = np.sqrt(together) * shared + np.sqrt(1 - together) * own
        return np.stack([np.convolve(row, np.full(horizon, horizon**-0.5), "valid") for row in mixed])

    known, moves = shocks(), shocks()
    from scipy.special import ndtr

    up = drift + strength * known + np.sqrt(1 - strength**2) * moves > 0
    # Without strength the forecasts still vary, so that there is something to rank.
    weight = strength / np.sqrt(1 - strength**2) if strength else 0.2
    return Scored(
        "gap",
        pd.bdate_range("2015-01-01", periods=sessions),
        tuple(f"S{one}" for one in range(symbols)),
        np.asarray(ndtr(drift + weight * known)),
        up.astype(np.float64),
        horizon,
    )
