"""Bars one session at a time, as the account wants them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import pandas as pd

OHLC = ("open", "high", "low", "close")


@dataclass(frozen=True, slots=True)
class Bar:
    """The prices of one session, in the market's currency."""

    open: float
    high: float
    low: float
    close: float


class SessionBars:
    """The bars of several symbols by session, in plain Python: a look into a frame takes a hundred times as long."""

    def __init__(self, frames: Mapping[str, pd.DataFrame]) -> None:
        """Of complete bars frames by symbol."""
        self._bars = {symbol: _by_session(frame) for symbol, frame in frames.items()}

    def on(self, session: date) -> dict[str, Bar]:
        """The bars of one session by symbol; symbols without a bar are left out."""
        return {symbol: bars[session] for symbol, bars in self._bars.items() if session in bars}

    def close(self, symbol: str, session: date) -> float:
        """The symbol's close. Raises KeyError when it has no bar then."""
        return self._bars[symbol][session].close


def _by_session(frame: pd.DataFrame) -> dict[date, Bar]:
    columns = (frame[name].tolist() for name in OHLC)
    return dict(zip(pd.DatetimeIndex(frame.index).date, map(Bar, *columns), strict=True))
