"""Bars that were made up: good enough to trade on, and the same for the same random numbers."""

import numpy as np
import pandas as pd


def walk(days: pd.DatetimeIndex, moves: np.ndarray, random: np.random.Generator) -> pd.DataFrame:
    """Bars in Yahoo's columns: opens follow the shared `moves`, the rest of the day is noise."""
    gap, day = 0.7 * moves + random.normal(0, 0.003, len(days)), random.normal(0, 0.01, len(days))
    close = 100 * np.exp(np.cumsum(gap + day))
    opened = close / np.exp(day)
    spread = np.exp(np.abs(random.normal(0, 0.005, (2, len(days)))))
    high, low = np.maximum(opened, close) * spread[0], np.minimum(opened, close) / spread[1]
    columns = {"Open": opened, "High": high, "Low": low, "Close": close, "Adj Close": close, "Volume": 1000.0}
    return pd.DataFrame(columns, index=days).round(4)
