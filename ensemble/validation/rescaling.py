"""By what a feed has multiplied a history, and bars in the scale of the others."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from ensemble.arrays import Floats

CLOSES = ("close", "adj_close")
PRICES = ("open", "high", "low", "close")
"""What a split multiplies; an action of any kind multiplies adj_close."""


def factors_near(stored: pd.DataFrame, kept: pd.DataFrame, sessions: pd.DatetimeIndex) -> Floats:
    """(n_sessions, 2): what CLOSES of the nearest bar of both before, or else after, were multiplied by.

    1 where there is none. A bar that closes at 0, as a future may, tells nothing.
    """
    shared = stored.index.intersection(kept.index)
    then, now = (frame.loc[shared, list(CLOSES)].to_numpy() for frame in (stored, kept))
    usable = (np.isfinite(then) & np.isfinite(now) & (then != 0)).all(axis=1)
    if not usable.any():
        return np.ones((len(sessions), len(CLOSES)))
    near = np.maximum(shared[usable].searchsorted(sessions) - 1, 0)
    factors: Floats = now[usable][near] / then[usable][near]
    return factors


def rescaled(bar: Mapping[Any, Any] | pd.DataFrame, of_close: Any, of_adjusted: Any) -> dict[str, Any]:
    """The columns of a bar or of a bars frame: prices and adj_close multiplied each by its own, volume divided."""
    prices = {name: bar[name] * of_close for name in PRICES}
    return prices | {"adj_close": bar["adj_close"] * of_adjusted, "volume": bar["volume"] / of_close}
