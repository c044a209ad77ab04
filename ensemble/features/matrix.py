"""Builds the panel: every family of features of every symbol, as known at each session's decision."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import time

import numpy as np
import pandas as pd

from ensemble.arrays import Floats, Integers
from ensemble.features.as_of import newest_known, take_known
from ensemble.features.context import (
    ContextSeries,
    Instants,
    context_features,
    move_since_close,
    rolling_beta,
    rolling_correlation,
)
from ensemble.features.momentum import momentum
from ensemble.features.prices import Prices, adjusted_prices, lagged, log_change, log_gap, ratio
from ensemble.features.regime import regime
from ensemble.features.volatility import volatility
from ensemble.features.volume import volume
from ensemble.labels import label_bars
from ensemble.panel import Panel
from ensemble.sessions import SessionCalendar, available_at
from ensemble.trading.limits import RiskLimits

MIN_BARS = 3
"""Fewer known bars say nothing; the indicators need at least one change between bars."""
DECIMALS = 6
"""Features are rounded to this: a restated history, whose ratios differ in the 15th digit, then gives the same bits."""
RANKED = ("return_1", "return_5", "return_20", "volume_1_to_20", "beta_move")


@dataclass(frozen=True, slots=True)
class Market:
    """All that was observed, and when it counts as known."""

    calendar: SessionCalendar
    bars: Mapping[str, pd.DataFrame]
    """Complete bars frames of the traded symbols and their peers."""
    context: Mapping[str, tuple[str, pd.DataFrame]]
    """Symbol -> (its exchange, its context bars frame)."""
    decision_time: time
    delay_min: int
    limits: RiskLimits


def build_panel(market: Market) -> Panel:
    """The panel over every session of the calendar. Cutting the bars after a session changes nothing in its row."""
    calendar = market.calendar
    instants = _instants(market)
    series = _context_series(market)
    shared = _shared_features(series, instants)
    blocks, labels, ages = [], [], []
    for bars in market.bars.values():
        known = _known_rows(bars, market, instants)
        blocks.append(_symbol_features(bars, known) | shared | _answers(bars, series, instants, calendar.sessions))
        labels.append(label_bars(bars, sessions=calendar.sessions, limits=market.limits).to_numpy(dtype=np.float32))
        ages.append(_bar_age(bars, known, calendar.sessions))
    names = tuple(blocks[0])
    values = np.stack([np.column_stack([block[name] for name in names]) for block in blocks])
    values, names = _with_ranks(values, names)
    rounded = np.round(np.where(np.isfinite(values), values, np.nan), DECIMALS).astype(np.float32)
    return Panel(tuple(market.bars), calendar.sessions, names, rounded, np.stack(labels), np.stack(ages))


def _instants(market: Market) -> Instants:
    decisions = market.calendar.decisions(market.decision_time)
    closes = market.calendar.closes
    return Instants(decisions, pd.DatetimeIndex(decisions[:1].append(closes[:-1])))


def _context_series(market: Market) -> dict[str, ContextSeries]:
    return {
        symbol: ContextSeries(
            bars,
            available_at(pd.DatetimeIndex(bars.index), exchange, delay_min=market.delay_min),
            at_home=exchange == market.calendar.exchange,
        )
        for symbol, (exchange, bars) in market.context.items()
    }


def _shared_features(series: Mapping[str, ContextSeries], instants: Instants) -> dict[str, Floats]:
    return {
        f"{symbol} {name}": values
        for symbol, one in series.items()
        for name, values in context_features(one, instants).items()
    }


def _known_rows(bars: pd.DataFrame, market: Market, instants: Instants) -> Integers:
    index = pd.DatetimeIndex(bars.index)
    known_at = available_at(index, market.calendar.exchange, delay_min=market.delay_min)
    return newest_known(known_at, instants.decisions)


def _symbol_features(bars: pd.DataFrame, known: Integers) -> dict[str, Floats]:
    """The symbol's own families, as known at each decision."""
    prices = adjusted_prices(bars) if len(bars) >= MIN_BARS else Prices(*np.ones((5, MIN_BARS)))
    families = momentum(prices) | volatility(prices) | volume(prices) | regime(prices)
    enough = np.where(known >= MIN_BARS - 1, known, -1)
    return {name: take_known(values, enough) for name, values in families.items()}


def _answers(
    bars: pd.DataFrame, series: Mapping[str, ContextSeries], instants: Instants, sessions: pd.DatetimeIndex
) -> dict[str, Floats]:
    """How the symbol's opening gap answers overnight moves, and how it moves with the series at home."""
    prices = adjusted_prices(bars)
    gap, change = (
        _on_sessions(values, bars, sessions)
        for values in (log_gap(prices.open, prices.close), log_change(prices.close))
    )
    features: dict[str, Floats] = {}
    pushes = []
    for symbol, one in series.items():
        move = move_since_close(one, instants)
        if one.at_home:
            features[f"{symbol} correlation"] = rolling_correlation(lagged(change), move)
            features[f"{symbol} beta"] = rolling_beta(lagged(change), move)
        else:
            pushes.append(rolling_beta(gap, move) * move)
            features[f"{symbol} beta_move"] = pushes[-1]
    features["beta_move"] = _mean(pushes, len(sessions))
    return features


def _on_sessions(values: Floats, bars: pd.DataFrame, sessions: pd.DatetimeIndex) -> Floats:
    """Values of the bars laid on the calendar's sessions, NaN where a bar is missing."""
    return take_known(values, bars.index.get_indexer(sessions).astype(np.int64))


def _mean(columns: list[Floats], rows: int) -> Floats:
    if not columns:
        return np.full(rows, np.nan)
    stacked = np.column_stack(columns)
    known = np.isfinite(stacked)
    total: Floats = np.where(known, stacked, 0.0).sum(axis=1)
    return ratio(total, known.sum(axis=1).astype(np.float64))


def _with_ranks(values: Floats, names: tuple[str, ...]) -> tuple[Floats, tuple[str, ...]]:
    """Adds each symbol's rank among the panel, from -1 (lowest) to 1 and 0 for one alone, for the RANKED features."""
    picked = values[:, :, [names.index(name) for name in RANKED]]
    known = np.isfinite(picked)
    others = np.maximum(known.sum(axis=0) - 1, 1)
    lead = np.sign(picked[:, None] - picked[None, :])  # against every other symbol: 1 above, -1 below, 0 level
    rank = np.where(known, np.nansum(lead, axis=1) / others, np.nan)
    return np.concatenate([values, rank], axis=2), (*names, *(f"rank {name}" for name in RANKED))


def _bar_age(bars: pd.DataFrame, known: Integers, sessions: pd.DatetimeIndex) -> Integers:
    """Sessions since the newest known bar: 1 when the previous session's bar is there, -1 without any."""
    place = sessions.searchsorted(pd.DatetimeIndex(bars.index), side="left").astype(np.float64)
    age = np.arange(len(sessions)) - take_known(place, known)
    return np.where(np.isnan(age), -1, age).astype(np.int64)
