"""What other markets did: indices, sector, overnight moves, and how this symbol answers to them."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

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


def context_features(series: ContextSeries, instants: Instants, since_close: Floats) -> dict[str, Floats]:
    """Moves of one series as known at each decision, (n_sessions,) each, in units of its own daily volatility.

    `since_close` is its `move_since_close` at the same instants.
    """
    close, opened = adjusted_close_and_open(series.bars)
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
    features["since_close"] = ratio(since_close, take_known(scale, known))
    return features


def move_since_close(series: ContextSeries, instants: Instants) -> Floats:
    """Log move from the previous session's close to the decision, (n_sessions,); a series at home: its last bar's."""
    close, _ = adjusted_close_and_open(series.bars)
    now = take_known(np.log(close), newest_known(series.available_at, instants.decisions))
    if series.at_home:
        return take_known(log_change(close), newest_known(series.available_at, instants.decisions))
    return now - take_known(np.log(close), newest_known(series.available_at, instants.previous_closes))


def rolling_beta(answer: Floats, moves: Floats) -> Floats:
    """Slope of `answer` (n,) on each of `moves` (k, n) over the BETA_SESSIONS rows before each row: (k, n).

    Rows where either is unknown do not count; with less than half of them known there is no slope.
    """
    known = np.isfinite(answer) & np.isfinite(moves)
    x, y = np.where(known, moves, 0.0), np.where(known, answer, 0.0)
    slope = ratio(rolling_sum(x * y, BETA_SESSIONS), rolling_sum(x * x, BETA_SESSIONS))
    enough = rolling_sum(known.astype(np.float64), BETA_SESSIONS) >= BETA_SESSIONS // 2
    return lagged(np.where(enough, slope, np.nan))


def rolling_correlation(answer: Floats, moves: Floats) -> Floats:
    """Correlation about zero of `answer` (n,) with `moves` (k, n) over the CORRELATION_SESSIONS rows before: (k, n)."""
    known = np.isfinite(answer) & np.isfinite(moves)
    x, y = np.where(known, moves, 0.0), np.where(known, answer, 0.0)
    xy, xx, yy = (rolling_sum(product, CORRELATION_SESSIONS) for product in (x * y, x * x, y * y))
    return lagged(ratio(xy, np.sqrt(xx * yy)))


def adjusted_close_and_open(bars: pd.DataFrame) -> tuple[Floats, Floats]:
    """Close and open, dividend-adjusted; an open that repeats a close is the vendor's filler: unknown."""
    close, adjusted, opened = (bars[name].to_numpy(dtype=np.float64) for name in ("close", "adj_close", "open"))
    filler = np.zeros(len(close), dtype=np.bool_)
    filler[1:] = opened[1:] == close[:-1]
    return adjusted, np.where(filler | (opened == close), np.nan, opened * adjusted / close)


def _volatility(change: Floats) -> Floats:
    """Root mean square of the last VOLATILITY_BARS changes, (n_bars,); NaN until there are so many."""
    known = np.isfinite(change)
    squares = rolling_sum(np.where(known, change, 0.0) ** 2, VOLATILITY_BARS)
    enough = rolling_sum(known.astype(np.float64), VOLATILITY_BARS) == VOLATILITY_BARS
    return np.where(enough, np.sqrt(squares / VOLATILITY_BARS), np.nan)


def rolling_sum(values: Floats, rows: int) -> Floats:
    """Sum of the last `rows` values along the last axis; shorter at the start.

    Added newest to oldest in every row alike, so that a row's sum is the same bits however long the history is.
    """
    total = np.zeros_like(values)
    for lag in range(min(rows, values.shape[-1])):
        total[..., lag:] += values[..., : values.shape[-1] - lag]
    return total
