"""Prices over what companies did to their shares and feeds adjust for in nothing: the falls that are no moves.

A step is the part of the price that was left: 0.75 after a demerger of a quarter.
"""

import math
from collections.abc import Iterator, Mapping
from datetime import date

import numpy as np
import pandas as pd

from ensemble.arrays import Floats
from ensemble.trading.session_bars import OHLC

Steps = Mapping[str, Mapping[date, float]]
"""By symbol and session, what was left of the price."""


def adjusted_for(bars: pd.DataFrame, steps: Mapping[date, float]) -> pd.DataFrame:
    """The bars frame with its adj_close before each session of `steps` multiplied by what was left of the price then.

    Only where the bars fell so, and where the feed has not counted the fall as a dividend.
    """
    if not steps:
        return bars
    values = {name: bars[name].to_numpy() for name in ("open", "close", "adj_close")}
    payout, adjusted = values["adj_close"] / values["close"], values["adj_close"]
    for place, left in fallen(values, pd.DatetimeIndex(bars.index), steps):
        told = np.log(payout[place - 1] / payout[place])
        if abs(told) < abs(told - np.log(left)):
            adjusted = np.where(np.arange(len(adjusted)) < place, left, 1.0) * adjusted
    return bars if adjusted is values["adj_close"] else bars.assign(adj_close=adjusted)


def held_over(bars: pd.DataFrame, steps: Mapping[date, float]) -> pd.DataFrame:
    """The bars frame with its prices before each session of `steps` in the scale of what was left, where it fell so.

    To whoever holds over it, for what was carved out is theirs, the fall is none.
    """
    values = {name: bars[name].to_numpy() for name in ("open", "close")}
    scale = np.ones(len(bars))
    for place, left in fallen(values, pd.DatetimeIndex(bars.index), steps):
        scale[:place] *= left
    return bars if (scale == 1).all() else bars.assign(**{name: scale * bars[name] for name in OHLC})


def fallen(
    values: Mapping[str, Floats], sessions: pd.DatetimeIndex, steps: Mapping[date, float]
) -> Iterator[tuple[int, float]]:
    """The places of the steps over which the bars fell nearer to the step than to nothing, and what was left.

    `values`: columns open and close, a close above 0.
    """
    for day, left in steps.items():
        place = int(sessions.searchsorted(pd.Timestamp(day)))
        if not 0 < place < len(sessions):
            continue
        opened, closed = (float(values[name][place]) for name in ("open", "close"))
        if falls_by(left, (opened if opened > 0 else closed) / float(values["close"][place - 1])):
            yield place, left


def falls_by(left: float, moved: float) -> bool:
    """Whether a price that `moved` over a close, as a ratio of both, went nearer to what was `left` than to nothing."""
    return moved > 0 and left > 0 and abs(math.log(moved / left)) < abs(math.log(moved))
