"""Builds the panel: every family of features of every symbol, as known at each session's decision."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, time

import numpy as np
import pandas as pd

from ensemble.arrays import Floats, Integers
from ensemble.corrections import Correction
from ensemble.features.answers import ANSWER_SESSIONS, SCALE_SESSIONS, expected_answers, night_and_parts
from ensemble.features.as_of import newest_known, take_known
from ensemble.features.context import (
    VOLATILITY_BARS,
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
LEAD_SESSIONS = ANSWER_SESSIONS + SCALE_SESSIONS + 2
"""Rows built before the first one wanted, for windows over the panel's own rows."""
MARGIN = pd.Timedelta(days=60)
"""Other exchanges close on other days."""
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
    corrections: Mapping[str, tuple[Correction, ...]] = field(default_factory=dict)
    """Exchange -> what is known of its hours besides what comes along."""

    def known_at(self, sessions: pd.DatetimeIndex, exchange: str) -> pd.DatetimeIndex:
        """UTC instant from which each session's bar of an exchange is known."""
        return available_at(sessions, exchange, delay_min=self.delay_min, own=self.corrections.get(exchange, ()))


def build_panel(market: Market, first: date | None = None) -> Panel:
    """The panel over the calendar's sessions from `first` on, by default all.

    A row is the same bits however many rows are built and whatever follows it. Built from `first` on, the context
    needs to reach back no further than `context_needed_from`; the symbols' own bars always from their beginning.
    """
    sessions = market.calendar.sessions
    start = 0 if first is None else market.calendar.position(first)
    begin = max(start - LEAD_SESSIONS, 0)
    built = slice(begin, len(sessions))
    instants = _instants(market, built)
    series = _context_series(market)
    moves = {symbol: move_since_close(one, instants) for symbol, one in series.items()}
    shared = _shared_features(series, instants, moves)
    expected = _expected(market, series, instants, moves, sessions[built])
    blocks, labels, ages = [], [], []
    for place, bars in enumerate(market.bars.values()):
        known = _known_rows(bars, market, instants)
        own = _symbol_features(bars, known) | {name: rows[place] for name, rows in expected.items()}
        blocks.append(own | shared | _answers(bars, series, moves, sessions[built]))
        labels.append(label_bars(bars, sessions=sessions[built], limits=market.limits).to_numpy(dtype=np.float32))
        ages.append(_bar_age(bars, known, sessions)[start - begin :])
    names = tuple(blocks[0])
    values = np.stack([np.column_stack([block[name] for name in names]) for block in blocks])
    values, names = _with_ranks(values[:, start - begin :], names)
    rounded = np.round(np.where(np.isfinite(values), values, np.nan), DECIMALS).astype(np.float32)
    return Panel(
        tuple(market.bars), sessions[start:], names, rounded, np.stack(labels)[:, start - begin :], np.stack(ages)
    )


def context_needed_from(calendar: SessionCalendar, first: date) -> date:
    """Where context bars must begin for rows from `first` on: enough for every rolling window, and a margin."""
    place = max(calendar.position(first) - LEAD_SESSIONS - VOLATILITY_BARS, 0)
    return (calendar.sessions[place] - MARGIN).date()


def _instants(market: Market, rows: slice) -> Instants:
    decisions = market.calendar.decisions(market.decision_time)
    previous_closes = pd.DatetimeIndex(decisions[:1].append(market.calendar.closes[:-1]))
    return Instants(decisions[rows], previous_closes[rows])


def _context_series(market: Market) -> dict[str, ContextSeries]:
    return {
        symbol: ContextSeries(
            bars,
            market.known_at(pd.DatetimeIndex(bars.index), exchange),
            at_home=exchange == market.calendar.exchange,
        )
        for symbol, (exchange, bars) in market.context.items()
    }


def _shared_features(
    series: Mapping[str, ContextSeries], instants: Instants, moves: Mapping[str, Floats]
) -> dict[str, Floats]:
    return {
        f"{symbol} {name}": values
        for symbol, one in series.items()
        for name, values in context_features(one, instants, moves[symbol]).items()
    }


def _known_rows(bars: pd.DataFrame, market: Market, instants: Instants) -> Integers:
    known_at = market.known_at(pd.DatetimeIndex(bars.index), market.calendar.exchange)
    return newest_known(known_at, instants.decisions)


def _symbol_features(bars: pd.DataFrame, known: Integers) -> dict[str, Floats]:
    """The symbol's own families, as known at each decision."""
    prices = adjusted_prices(bars) if len(bars) >= MIN_BARS else Prices(*np.ones((5, MIN_BARS)))
    families = momentum(prices) | volatility(prices) | volume(prices) | regime(prices)
    enough = np.where(known >= MIN_BARS - 1, known, -1)
    return {name: take_known(values, enough) for name, values in families.items()}


def _answers(
    bars: pd.DataFrame,
    series: Mapping[str, ContextSeries],
    moves: Mapping[str, Floats],
    sessions: pd.DatetimeIndex,
) -> dict[str, Floats]:
    """How the symbol's opening gap answers overnight moves, and how it moves with the series at home."""
    prices = adjusted_prices(bars)
    gap = _on_sessions(log_gap(prices.open, prices.close), bars, sessions)
    change = lagged(_on_sessions(log_change(prices.close), bars, sessions))
    home = [symbol for symbol, one in series.items() if one.at_home]
    abroad = [symbol for symbol, one in series.items() if not one.at_home]
    at_home, overnight = (_rows(moves, symbols, len(sessions)) for symbols in (home, abroad))
    beta_move = rolling_beta(gap, overnight) * overnight
    return {
        **_named(home, "correlation", rolling_correlation(change, at_home)),
        **_named(home, "beta", rolling_beta(change, at_home)),
        **_named(abroad, "beta_move", beta_move),
        "beta_move": _mean(beta_move),
    }


def _expected(
    market: Market,
    series: Mapping[str, ContextSeries],
    instants: Instants,
    moves: Mapping[str, Floats],
    sessions: pd.DatetimeIndex,
) -> dict[str, Floats]:
    """What to expect of every symbol, (n_symbols, n_sessions) each, from what happened abroad overnight."""
    prices = [(adjusted_prices(bars), bars) for bars in market.bars.values()]
    own = {
        "gap": [_on_sessions(log_gap(one.open, one.close), bars, sessions) for one, bars in prices],
        "intraday": [_on_sessions(np.log(one.close / one.open), bars, sessions) for one, bars in prices],
        "return": [_on_sessions(log_change(one.close), bars, sessions) for one, bars in prices],
    }
    abroad = [night_and_parts(one, instants, moves[name]) for name, one in series.items() if not one.at_home]
    none = np.zeros((0, len(sessions)))
    nights, parts = (np.concatenate([none, *(pair[place] for pair in abroad)]) for place in (0, 1))
    return expected_answers({name: np.stack(rows) for name, rows in own.items()}, nights, parts)


def _rows(moves: Mapping[str, Floats], symbols: list[str], columns: int) -> Floats:
    return np.array([moves[symbol] for symbol in symbols]).reshape(len(symbols), columns)


def _named(symbols: list[str], name: str, rows: Floats) -> dict[str, Floats]:
    return {f"{symbol} {name}": row for symbol, row in zip(symbols, rows, strict=True)}


def _on_sessions(values: Floats, bars: pd.DataFrame, sessions: pd.DatetimeIndex) -> Floats:
    """Values of the bars laid on the calendar's sessions, NaN where a bar is missing."""
    return take_known(values, bars.index.get_indexer(sessions).astype(np.int64))


def _mean(rows: Floats) -> Floats:
    """Mean of the known values of each column of (k, n); NaN where none is."""
    known = np.isfinite(rows)
    total: Floats = np.where(known, rows, 0.0).sum(axis=0)
    return ratio(total, known.sum(axis=0).astype(np.float64))


def _with_ranks(values: Floats, names: tuple[str, ...]) -> tuple[Floats, tuple[str, ...]]:
    """Adds each symbol's rank among the panel, from -1 (lowest) to 1 and 0 for one alone, for the RANKED features."""
    picked = values[:, :, [names.index(name) for name in RANKED]]
    known = np.isfinite(picked)
    others = np.maximum(known.sum(axis=0) - 1, 1)
    lead = np.sign(picked[:, None] - picked[None, :])  # against every other symbol: 1 above, -1 below, 0 level
    rank = np.where(known, np.nansum(lead, axis=1) / others, np.nan)
    return np.concatenate([values, rank], axis=2), (*names, *(f"rank {name}" for name in RANKED))


def _bar_age(bars: pd.DataFrame, known: Integers, sessions: pd.DatetimeIndex) -> Integers:
    """Sessions since the newest known bar, for the newest len(known) of `sessions`; 1 is fresh, -1 none."""
    place = sessions.searchsorted(pd.DatetimeIndex(bars.index), side="left").astype(np.float64)
    age = np.arange(len(sessions) - len(known), len(sessions)) - take_known(place, known)
    return np.where(np.isnan(age), -1, age).astype(np.int64)
