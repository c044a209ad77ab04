"""Open, high, low, close and volume of one series from its moves."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ensemble.arrays import Floats

DECIMALS = 6
"""What a file holds is what the market holds."""
FIRST_PRICE = 1000.0
USUAL_VOLUME = 1e6
VOLUME_NOISE = 0.3


@dataclass(frozen=True, slots=True)
class Moves:
    """One series, (n_bars,) each, in logarithms."""

    gap: Floats
    """From the close before to the open."""
    day: Floats
    """From open to close."""
    deviation: Floats
    """Standard deviation of the path between the two."""


def make_bars(moves: Moves, sessions: pd.DatetimeIndex, random: np.random.Generator) -> pd.DataFrame:
    """A complete bars frame without dividends.

    High and low are those of a Brownian motion that is known to end at the close (Glasserman 2004, section 6.4), each
    drawn by itself. Volume grows with what there is to trade on (Clark 1973).
    """
    close = np.log(FIRST_PRICE) + np.cumsum(moves.gap + moves.day)
    opened = close - moves.day
    spans = np.sqrt(moves.day**2 + 2 * moves.deviation**2 * random.exponential(size=(2, len(close))))
    logs = {
        "open": opened,
        "high": opened + (moves.day + spans[0]) / 2,
        "low": opened + (moves.day - spans[1]) / 2,
        "close": close,
        "adj_close": close,
    }
    prices = {name: np.round(np.exp(values), DECIMALS) for name, values in logs.items()}
    activity = moves.deviation / moves.deviation.mean() * np.exp(VOLUME_NOISE * random.normal(size=len(close)))
    return pd.DataFrame({**prices, "volume": np.ceil(USUAL_VOLUME * activity)}, index=sessions)


def make_quotes(level: Floats, sessions: pd.DatetimeIndex) -> pd.DataFrame:
    """A context bars frame of what is quoted and not traded: every price the close, no volume."""
    quoted = np.round(level, DECIMALS)
    prices = dict.fromkeys(("open", "high", "low", "close", "adj_close"), quoted)
    return pd.DataFrame({**prices, "volume": 0.0}, index=sessions)
