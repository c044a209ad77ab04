"""What other markets did: indices, sector, overnight moves, and how this symbol answers to them."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import talib

from ensemble.arrays import Floats
from ensemble.features.as_of import newest_known, take_known
from ensemble.features.prices import lagged, log_change, log_gap, ratio

BETA_SESSIONS = 250
CORRELATION_SESSIONS = 60
VOLATILITY_BARS = 60


@dataclass(frozen=True, slots=True)
class ContextSeries:
    """A series from elsewhere."""

    bars: pd.DataFrame
    """A context bars frame."""
    available_at: pd.DatetimeIndex
    """When each bar was known, UTC."""
    at_home: bool
    """Traded on the forecast symbols' own exchange, so that it sleeps when they do."""


@dataclass(frozen=True, slots=True)
class Instants:
    """The moments that bound a session's knowledge, each (n_sessions,) in UTC."""

    decisions: pd.DatetimeIndex
    previous_closes: pd.DatetimeIndex
    """When the previous session closed (for the first session: the decision itself)."""


def context_features(series: ContextSeries, instants: Instants) -> dict[str, Floats]:
    """Moves of one series as known at each decision, (n_sessions,) each, in units of its own daily volatility."""
    close, opened = _adjusted(series.bars)
    change = log_change(close)
    scale = _volatility(change)
    known = newest_known(series.available_at, instants.decisions)
    rows = {
        "close_to_close": change,
        "open_gap": log_gap(opened, close),
        "open_to_close": np.log(close / opened),
    }
    features = {name: take_known(ratio(values, scale), known) for name, values in rows.items()}
    features["five_bars"] = take_known(ratio(log_change(close, 5), scale * np.sqrt(5)), known)
    features["since_close"] = ratio(move_since_close(series, instants), take_known(scale, known))
    return features


def move_since_close(series: ContextSeries, instants: Instants) -> Floats:
    """Log move from the previous session's close to the decision, (n_sessions,); a series at home: its last bar's."""
    close, _ = _adjusted(series.bars)
    now = take_known(np.log(close), newest_known(series.available_at, instants.decisions))
    if series.at_home:
        return take_known(log_change(close), newest_known(series.available_at, instants.decisions))
    return now - take_known(np.log(close), newest_known(series.available_at, instants.previous_closes))


def rolling_beta(answer: Floats, move: Floats) -> Floats:
    """Slope of `answer` on `move` over the BETA_SESSIONS rows before each row, (n,); rows with a NaN count not."""
    known = np.isfinite(answer) & np.isfinite(move)
    x, y = np.where(known, move, 0.0), np.where(known, answer, 0.0)
    slope = ratio(_rolling_sum(x * y), _rolling_sum(x * x))
    return np.where(_rolling_sum(known.astype(np.float64)) >= BETA_SESSIONS // 2, lagged(slope), np.nan)


def rolling_correlation(left: Floats, right: Floats) -> Floats:
    """Correlation about zero over the CORRELATION_SESSIONS rows before each row, (n,)."""
    known = np.isfinite(left) & np.isfinite(right)
    x, y = np.where(known, left, 0.0), np.where(known, right, 0.0)
    sums = [_rolling_sum(product, CORRELATION_SESSIONS) for product in (x * y, x * x, y * y)]
    return lagged(ratio(sums[0], np.sqrt(np.maximum(sums[1] * sums[2], 0))))


def _adjusted(bars: pd.DataFrame) -> tuple[Floats, Floats]:
    """Close and open, dividend-adjusted; an open that repeats a close is the vendor's filler: unknown."""
    close, adjusted, opened = (bars[name].to_numpy(dtype=np.float64) for name in ("close", "adj_close", "open"))
    filler = np.zeros(len(close), dtype=np.bool_)
    filler[1:] = opened[1:] == close[:-1]
    return adjusted, np.where(filler | (opened == close), np.nan, opened * adjusted / close)


def _volatility(change: Floats) -> Floats:
    deviation = np.full(change.shape, np.nan)
    if len(change) > VOLATILITY_BARS:
        deviation[1:] = talib.STDDEV(change[1:], VOLATILITY_BARS)
    return deviation


def _rolling_sum(values: Floats, rows: int = BETA_SESSIONS) -> Floats:
    """Sum of the last `rows` values; shorter at the start."""
    total = np.cumsum(values)
    total[rows:] -= total[:-rows].copy()
    return total
