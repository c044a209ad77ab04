"""In which state the symbol is: trend, volatility, and how often it has gapped up so far."""

import numpy as np
import talib

from ensemble.arrays import Floats
from ensemble.features.prices import Prices, log_gap, ratio
from ensemble.features.volatility import daily_volatility

HIGH_VOLATILITY = 1.25
LOW_VOLATILITY = 0.80
MIN_GAPS = 60


def regime(prices: Prices) -> dict[str, Floats]:
    """Features by name, each of shape (n_bars,)."""
    level = _volatility_level(prices)
    return {
        "trend_state": _trend_state(prices),
        "volatility_level": np.log(level),
        "volatility_state": np.where(level > HIGH_VOLATILITY, 1.0, np.where(level < LOW_VOLATILITY, -1.0, 0.0)),
        "up_gap_share": _up_gap_share(prices),
    }


def _trend_state(prices: Prices) -> Floats:
    """+1 above a rising, -1 below a falling 50-bar average, else 0; NaN while the 200-bar average warms up."""
    fast, slow = talib.SMA(prices.close, 50), talib.SMA(prices.close, 200)
    up = (prices.close > fast) & (fast > slow)
    down = (prices.close < fast) & (fast < slow)
    return np.where(np.isnan(slow), np.nan, up.astype(np.float64) - down)


def _volatility_level(prices: Prices) -> Floats:
    """The 20-bar volatility over its own 250-bar mean."""
    volatility = daily_volatility(prices, 20)
    mean = np.full(volatility.shape, np.nan)
    start = int(np.argmax(np.isfinite(volatility))) if np.isfinite(volatility).any() else len(volatility)
    mean[start:] = talib.SMA(volatility[start:], 250) if len(volatility) - start >= 250 else np.nan
    return ratio(volatility, mean)


def _up_gap_share(prices: Prices) -> Floats:
    """Share of opening gaps so far that went up, NaN before MIN_GAPS of them."""
    gap = log_gap(prices.open, prices.close)
    seen = np.cumsum(np.isfinite(gap))
    share = ratio(np.cumsum(gap > 0).astype(np.float64), seen.astype(np.float64))
    return np.where(seen >= MIN_GAPS, share, np.nan)
