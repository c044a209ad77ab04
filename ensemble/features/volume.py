"""What the traded volume says, as ratios: bursts, on-balance volume, distance from the VWAP."""

import numpy as np
import talib

from ensemble.arrays import Floats
from ensemble.features.prices import Prices, ratio


def volume(prices: Prices) -> dict[str, Floats]:
    """Features by name, each of shape (n_bars,): unit-free, NaN while an indicator warms up."""
    traded = prices.volume
    typical = (prices.high + prices.low + prices.close) / 3
    vwap_20 = ratio(talib.SUM(typical * traded, 20), talib.SUM(traded, 20))
    return {
        "volume_1_to_20": np.log(ratio(traded, talib.SMA(traded, 20))),
        "volume_5_to_60": np.log(ratio(talib.SMA(traded, 5), talib.SMA(traded, 60))),
        "obv_20": _on_balance(prices, 20),
        "vwap_deviation_20": np.log(prices.close / vwap_20),
        "vwap_deviation_1": np.log(prices.close / typical),
    }


def _on_balance(prices: Prices, bars: int) -> Floats:
    """Change of on-balance volume over `bars`, as a share of the volume traded: -1 all falling, +1 all rising."""
    balance = talib.OBV(prices.close, prices.volume)
    change = np.full(balance.shape, np.nan)
    change[bars:] = balance[bars:] - balance[:-bars]
    return ratio(change, talib.SUM(prices.volume, bars))
