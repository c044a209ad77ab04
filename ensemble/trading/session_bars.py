"""Bars one session at a time, as the account wants them."""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import pandas as pd

from ensemble.trading.sizing import VOLATILITY_CLOSES, daily_volatility

OHLC = ("open", "high", "low", "close")


@dataclass(frozen=True, slots=True)
class Bar:
    """The prices of one session, in the market's currency."""

    open: float
    high: float
    low: float
    close: float


@dataclass(frozen=True, slots=True)
class SymbolBars:
    """The bars of one symbol in order of their sessions, a list a column, and where each session's is."""

    sessions: Sequence[date]
    prices: tuple[Sequence[float], ...]
    """One of OHLC each."""
    adjusted: Sequence[float]
    """Closes, adjusted for dividends too."""
    place: Mapping[date, int]

    @property
    def opens(self) -> Sequence[float]:
        """Opening prices."""
        return self.prices[OHLC.index("open")]

    @property
    def closes(self) -> Sequence[float]:
        """Closing prices, adjusted for splits alone."""
        return self.prices[OHLC.index("close")]

    def bar(self, session: date) -> Bar | None:
        """The bar of one session, None where there is none."""
        place = self.place.get(session)
        return None if place is None else self.at(place)

    def at(self, place: int) -> Bar:
        """The bar at that place."""
        return Bar(*(column[place] for column in self.prices))

    def place_from(self, session: date) -> int:
        """The place of the first bar that is not before `session`."""
        return bisect_left(self.sessions, session)

    def newest(self, session: date) -> int:
        """The place of the last bar that is not after `session`, -1 before the first."""
        return bisect_right(self.sessions, session) - 1

    def payout(self, place: int) -> float:
        """adj_close / close: what later dividends leave of the price, as far as the feed knows them."""
        return self.adjusted[place] / self.closes[place]


class SessionBars:
    """The bars of several symbols by session, in plain Python: a look into a frame takes a hundred times as long."""

    def __init__(self, frames: Mapping[str, pd.DataFrame]) -> None:
        """Of complete bars frames by symbol."""
        self._symbols = {symbol: _symbol_bars(frame) for symbol, frame in frames.items()}

    def on(self, session: date) -> dict[str, Bar]:
        """The bars of one session by symbol; symbols without a bar are left out."""
        found = {symbol: own.bar(session) for symbol, own in self._symbols.items()}
        return {symbol: bar for symbol, bar in found.items() if bar is not None}

    def of(self, symbol: str) -> SymbolBars | None:
        """All bars of one symbol, None for one that was not given."""
        return self._symbols.get(symbol)

    def close(self, symbol: str, session: date) -> float:
        """The symbol's close. Raises KeyError when it has no bar then."""
        own = self._symbols[symbol]
        return own.closes[own.place[session]]

    def volatility(self, symbol: str, session: date) -> float | None:
        """Standard deviation a session of the symbol's last 20 closes up to that one, None with fewer.

        Raises KeyError when it has no bar then.
        """
        own = self._symbols[symbol]
        last = own.place[session] + 1
        return daily_volatility(own.adjusted[max(last - VOLATILITY_CLOSES, 0) : last])


def _symbol_bars(frame: pd.DataFrame) -> SymbolBars:
    sessions = pd.DatetimeIndex(frame.index).date.tolist()
    return SymbolBars(
        sessions=sessions,
        prices=tuple(frame[name].tolist() for name in OHLC),
        adjusted=frame["adj_close"].tolist(),
        place={session: place for place, session in enumerate(sessions)},
    )
