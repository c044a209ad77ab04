"""How far the price moves: realised volatility, ranges, gaps, bands."""

import numpy as np
import talib

from ensemble.arrays import Floats
from ensemble.features.prices import Prices, log_change, log_gap, ratio


def daily_volatility(prices: Prices, bars: int) -> Floats:
    """Standard deviation of the last `bars` daily log returns, shape (n_bars,)."""
    deviation = np.full(prices.close.shape, np.nan)
    deviation[1:] = talib.STDDEV(log_change(prices.close)[1:], bars)
    return deviation


def volatility(prices: Prices) -> dict[str, Floats]:
    """Features by name, each of shape (n_bars,): unit-free, NaN while an indicator warms up."""
    short, middle, long = (daily_volatility(prices, bars) for bars in (5, 20, 60))
    return {
        "volatility_20": middle,
        "volatility_5_to_20": ratio(short, middle),
        "volatility_20_to_60": ratio(middle, long),
        **_ranges(prices),
        "bollinger_position": _bollinger_position(prices),
    }


def _ranges(prices: Prices) -> dict[str, Floats]:
    spread = np.log(prices.high / prices.low)
    gap = np.abs(log_gap(prices.open, prices.close))
    gap_mean = np.full(gap.shape, np.nan)
    gap_mean[1:] = talib.SMA(gap[1:], 20)
    return {
        "range_1": spread,
        "range_1_to_10": ratio(spread, talib.SMA(spread, 10)),
        "atr_14": talib.ATR(prices.high, prices.low, prices.close, 14) / prices.close,
        "gap_size_20": gap_mean,
        "close_in_range": ratio(2 * prices.close - prices.high - prices.low, prices.high - prices.low),
    }


def _bollinger_position(prices: Prices) -> Floats:
    """-1 at the lower, +1 at the upper band (20 bars, two deviations)."""
    upper, middle, lower = talib.BBANDS(prices.close, 20, 2.0, 2.0)
    return ratio(2 * (prices.close - middle), upper - lower)
