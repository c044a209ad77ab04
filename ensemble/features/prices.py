"""Dividend-adjusted prices of one symbol, as plain arrays for the indicator library."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ensemble.arrays import Floats


@dataclass(frozen=True, slots=True)
class Prices:
    """Adjusted OHLC and traded shares, each of shape (n_bars,).

    Only ratios of these may become features: their level changes whenever the vendor restates history.
    """

    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats


def adjusted_prices(bars: pd.DataFrame) -> Prices:
    """The bars frame with every price scaled by adj_close / close."""
    factor = (bars["adj_close"] / bars["close"]).to_numpy(dtype=np.float64)
    columns = bars[["open", "high", "low", "close", "volume"]].to_numpy(dtype=np.float64).T.copy()
    columns[:4] *= factor
    return Prices(*columns)


def log_change(values: Floats, bars: int = 1) -> Floats:
    """log(values[t] / values[t - bars]), NaN in the first `bars` places."""
    change = np.full(values.shape, np.nan)
    change[bars:] = np.log(values[bars:] / values[:-bars])
    return change


def log_gap(opens: Floats, closes: Floats) -> Floats:
    """log(open[t] / close[t - 1]), NaN in the first place."""
    gap = np.full(opens.shape, np.nan)
    gap[1:] = np.log(opens[1:] / closes[:-1])
    return gap


def lagged(values: Floats) -> Floats:
    """Each row (along the last axis) gets the row before it, the first NaN."""
    before = np.full(values.shape, np.nan)
    before[..., 1:] = values[..., :-1]
    return before


def ratio(numerator: Floats, denominator: Floats) -> Floats:
    """numerator / denominator, NaN where the denominator is 0 (a flat stretch has no ratio)."""
    quotient: Floats = np.divide(numerator, denominator, out=np.full(numerator.shape, np.nan), where=denominator != 0)
    return quotient
