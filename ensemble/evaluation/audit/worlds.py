"""The same market as it might have been: cut, with another future, restated, begun later, or with other signs."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd

from ensemble.arrays import Floats, Mask
from ensemble.bars import BAR_COLUMNS
from ensemble.evaluation.audit.known import known_bars
from ensemble.features.matrix import Market
from ensemble.sessions import EXCHANGES

PRICES = ("open", "high", "low", "close", "adj_close")
RESTATEMENT = 2.0
"""A power of two: it leaves every digit of a ratio as it is, so that no border of a rounding is crossed."""
DAY_MIN = 24 * 60
Change = Callable[[str, pd.DataFrame], pd.DataFrame]
"""(exchange, bars) -> other bars."""


def changed(market: Market, change: Change) -> Market:
    """The market with every series at home and abroad changed."""
    home = market.calendar.exchange
    return replace(
        market,
        bars={symbol: change(home, bars) for symbol, bars in market.bars.items()},
        context={symbol: (exchange, change(exchange, bars)) for symbol, (exchange, bars) in market.context.items()},
    )


def ended(market: Market, row: int) -> Market:
    """The market whose calendar ends with `row`; the bars stay."""
    return replace(market, calendar=market.calendar.until(row + 1))


def truncated(market: Market, row: int) -> Market:
    """Calendar and bars end with the date of `row`, as in a file that was written that evening."""
    last = market.calendar.sessions[row]
    return changed(ended(market, row), lambda _, bars: bars.loc[:last])


def as_known(market: Market, row: int) -> Market:
    """Calendar up to `row`, and only the bars that were known when `row` was decided."""
    return changed(ended(market, row), lambda exchange, bars: bars[known_bars(bars, exchange, market, row)])


def other_future(market: Market, row: int) -> Market:
    """All that was not known when `row` was decided went another way; the calendar stays."""
    return changed(market, lambda exchange, bars: _turned(bars, known_bars(bars, exchange, market, row)))


def restated(market: Market) -> Market:
    """The vendor's history after a split: all prices times a constant, volumes by it."""
    return changed(
        market,
        lambda _, bars: bars.assign(
            **{name: bars[name] * RESTATEMENT for name in PRICES}, volume=bars["volume"] / RESTATEMENT
        ),
    )


def dividend_paid(market: Market) -> Market:
    """The vendor's history after a dividend: all adjusted closes times a constant."""
    return changed(market, lambda _, bars: bars.assign(adj_close=bars["adj_close"] / RESTATEMENT))


def begun_later(market: Market, rows: int) -> Market:
    """The market without its first `rows` sessions."""
    calendar, first = market.calendar, market.calendar.sessions[rows]
    shorter = replace(
        calendar, sessions=calendar.sessions[rows:], opens=calendar.opens[rows:], closes=calendar.closes[rows:]
    )
    return changed(replace(market, calendar=shorter), lambda _, bars: bars.loc[first:])


def delayed(market: Market) -> Market:
    """Bars known so late that yesterday's at home just make the decision, and last night's abroad do not."""
    closes, decided = EXCHANGES[market.calendar.exchange].closes, market.decision_time
    overnight_min = DAY_MIN - 60 * (closes.hour - decided.hour) - (closes.minute - decided.minute)
    return replace(market, delay_min=overnight_min)


def signs_flipped(market: Market, seed: int) -> Market:
    """Each session at home went, by the toss of one coin for all series there, the way it did or the opposite way.

    So nothing that is known before a session tells its direction, while sizes of moves, ranges, volumes and how stocks
    move together stay. Series abroad stay as they are.
    """
    heads = np.random.default_rng(seed).random(len(market.calendar.sessions)) < 0.5
    coin = pd.Series(heads, index=market.calendar.sessions)
    home = market.calendar.exchange

    def flip(exchange: str, bars: pd.DataFrame) -> pd.DataFrame:
        if exchange != home:
            return bars
        return _mirrored(bars, coin.reindex(bars.index, fill_value=False).to_numpy(), stretch=1.0)

    return changed(market, flip)


def _turned(bars: pd.DataFrame, known: Mask) -> pd.DataFrame:
    """Bars that are not known turned about the last known close, half as large again; volumes in reverse order."""
    turned = _mirrored(bars, ~known, stretch=1.5)
    volume = bars["volume"].to_numpy().copy()
    volume[~known] = volume[~known][::-1] * 1.7
    return turned.assign(volume=volume)


def _mirrored(bars: pd.DataFrame, which: Mask, *, stretch: float) -> pd.DataFrame:
    """Bars whose move from the close before is turned round and stretched in `which`, and kept elsewhere."""
    if len(bars) == 0:
        return bars
    logs = np.log(bars[list(PRICES)].to_numpy(np.float64))
    before = np.concatenate([logs[:1, 3], logs[:-1, 3]])
    moves = logs[:, :4] - before[:, None]
    moves = np.where(which[:, None], -stretch * moves, moves)
    low, high = moves[:, 2].copy(), moves[:, 1].copy()
    moves[:, 1], moves[:, 2] = np.where(which, low, high), np.where(which, high, low)
    close = logs[0, 3] + np.cumsum(moves[:, 3])
    level = np.concatenate([[logs[0, 3]], close[:-1]])
    return _frame(bars, moves + level[:, None], logs[:, 4] - logs[:, 3], untouched=~np.logical_or.accumulate(which))


def _frame(bars: pd.DataFrame, logs: Floats, adjustment: Floats, *, untouched: Mask) -> pd.DataFrame:
    """A bars frame of log prices; rows before the first change keep their very bits."""
    prices = np.exp(np.column_stack([logs, logs[:, 3] + adjustment]))
    prices[:, 1] = np.fmax(prices[:, 1], np.fmax(prices[:, 0], prices[:, 3]))
    prices[:, 2] = np.fmin(prices[:, 2], np.fmin(prices[:, 0], prices[:, 3]))
    old = bars[list(PRICES)].to_numpy(np.float64)
    prices = np.where(untouched[:, None] | np.isnan(old), old, prices)
    frame = pd.DataFrame(prices, index=bars.index, columns=list(PRICES))
    return frame.assign(volume=bars["volume"])[list(BAR_COLUMNS)]
