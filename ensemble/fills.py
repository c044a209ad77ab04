"""The one fill rule, for labels and account: whether a position leaves inside a bar, and at what price.

In this order: an open at or beyond the stop fills at the open; an open at or beyond the target fills at the
open; a low at or below the stop fills at the stop; a high at or above the target fills at the target; the
last holding session fills at its close. A bar that holds both stop and target is a loss: its path is unknown.
The entry bar is live and needs no exception: its open is the entry, which lies between stop and target.
A locked bar, which knew one price all session as at a circuit band, fills nobody, in or out.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, TypeVar

import numpy as np

from ensemble.arrays import Floats, Mask

Numbers = float | Floats
Price = TypeVar("Price", float, Floats)


class ExitReason(StrEnum):
    """Why a position was closed."""

    STOP = "STOP"
    TARGET = "TARGET"
    TIME = "TIME"
    SIGNAL = "SIGNAL"


class Prices(Protocol):
    """The prices of one bar, or of many as arrays of one shape."""

    @property
    def open(self) -> Numbers: ...
    @property
    def high(self) -> Numbers: ...
    @property
    def low(self) -> Numbers: ...
    @property
    def close(self) -> Numbers: ...


@dataclass(frozen=True, slots=True)
class Exits:
    """Exits inside a bar, elementwise: arrays of the prices' shape, () for a single bar."""

    price: Floats
    """Exit price before slippage, NaN where the position stays open."""
    stopped: Mask
    on_target: Mask


def stop_price(entry_price: Price, stop_loss_pct: float) -> Price:
    """The price a position is closed at for a loss of `stop_loss_pct` % of its entry."""
    return entry_price * (100 - stop_loss_pct) / 100


def target_price(entry_price: Price, take_profit_pct: float) -> Price:
    """The price a position is closed at for a gain of `take_profit_pct` % of its entry."""
    return entry_price * (100 + take_profit_pct) / 100  # this order is exact for round prices


def is_locked(prices: Prices) -> Mask:
    """True where one price held all session, elementwise: at a circuit band, nobody can be sure of a fill."""
    return np.equal(prices.high, prices.low)


def fill_exits(prices: Prices, *, stop: Numbers, target: Numbers, last: bool) -> Exits:
    """Exits of positions with these stops and targets inside the bar, elementwise.

    NaN prices and locked bars fill nothing. `last` is the last session a position may be held: what neither barrier
    closed leaves at the close.
    """
    traded = ~is_locked(prices)
    gap_down = np.less_equal(prices.open, stop)
    gap_up = np.greater_equal(prices.open, target) & ~gap_down
    stopped = traded & (gap_down | (np.less_equal(prices.low, stop) & ~gap_up))
    on_target = traded & (gap_up | (np.greater_equal(prices.high, target) & ~stopped))
    at_stop = np.minimum(prices.open, stop)  # never better than an open that has already gapped through
    at_target = np.maximum(prices.open, target)
    otherwise = np.where(traded, prices.close, np.nan) if last else np.nan
    price = np.where(stopped, at_stop, np.where(on_target, at_target, otherwise))
    return Exits(price, np.asarray(stopped), np.asarray(on_target))
