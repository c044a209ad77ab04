"""Where the price has come from: returns, oscillators, distance from its averages."""

import numpy as np
import talib

from ensemble.arrays import Floats
from ensemble.features.prices import Prices, log_change, log_gap, ratio
from ensemble.features.volatility import daily_volatility

RETURN_BARS = (1, 2, 3, 5, 10, 20, 60, 120)
AVERAGE_BARS = (20, 50, 200)


def momentum(prices: Prices) -> dict[str, Floats]:
    """Features by name, each of shape (n_bars,): unit-free, NaN while an indicator warms up."""
    return _returns(prices) | _oscillators(prices) | _distances(prices)


def _returns(prices: Prices) -> dict[str, Floats]:
    volatility = daily_volatility(prices, 20)
    features = {
        f"return_{bars}": ratio(log_change(prices.close, bars), volatility * np.sqrt(bars)) for bars in RETURN_BARS
    }
    features["gap_1"] = ratio(log_gap(prices.open, prices.close), volatility)
    features["intraday_1"] = ratio(np.log(prices.close / prices.open), volatility)
    return features


def _oscillators(prices: Prices) -> dict[str, Floats]:
    high, low, close = prices.high, prices.low, prices.close
    macd, _, histogram = talib.MACD(close)
    slow_k, slow_d = talib.STOCH(high, low, close)
    return {
        "rsi_14": talib.RSI(close, 14) / 50 - 1,
        "rsi_3": talib.RSI(close, 3) / 50 - 1,
        "macd": macd / close,
        "macd_histogram": histogram / close,
        "stochastic_k": slow_k / 50 - 1,
        "stochastic_d": slow_d / 50 - 1,
        "williams_r": talib.WILLR(high, low, close, 14) / 50 + 1,
    }


def _distances(prices: Prices) -> dict[str, Floats]:
    close = prices.close
    features = {f"above_average_{bars}": np.log(close / talib.SMA(close, bars)) for bars in AVERAGE_BARS}
    features["below_high_250"] = np.log(close / talib.MAX(prices.high, 250))
    return features
