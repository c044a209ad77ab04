"""What companies did to their shares that no feed adjusts a price for: the falls that are no moves."""

from collections.abc import Iterator, Mapping
from datetime import date

import numpy as np
import pandas as pd

from ensemble.arrays import Floats
from ensemble.bars import BAR_COLUMNS

_PRICES = BAR_COLUMNS[:4]


def without_steps(
    values: Mapping[str, Floats], sessions: pd.DatetimeIndex, steps: Mapping[date, float]
) -> dict[str, Floats]:
    """The same columns; the prices before each session of `steps` are multiplied by what was left of them then.

    Only where the bars fell so: a price that opened nearer to where it had closed has been adjusted by the feed.
    """
    continuous = dict(values)
    for place, left in _fallen(values, sessions, steps):
        before = np.where(np.arange(len(sessions)) < place, left, 1.0)
        continuous |= {name: continuous[name] * before for name in _PRICES}
    return continuous


def adjusted_for(bars: pd.DataFrame, steps: Mapping[date, float]) -> pd.DataFrame:
    """The bars frame with its adj_close before each session of `steps` multiplied by what was left of the price then.

    Only where the bars fell so, and where the feed has not counted the fall as a dividend.
    """
    sessions = pd.DatetimeIndex(bars.index)
    values = {name: bars[name].to_numpy() for name in (*_PRICES, "adj_close")}
    payout, adjusted = values["adj_close"] / values["close"], values["adj_close"]
    for place, left in _fallen(values, sessions, steps):
        told = np.log(payout[place - 1] / payout[place])
        if abs(told) < abs(told - np.log(left)):
            adjusted = adjusted * np.where(np.arange(len(sessions)) < place, left, 1.0)
    return bars if adjusted is values["adj_close"] else bars.assign(adj_close=adjusted)


def _fallen(
    values: Mapping[str, Floats], sessions: pd.DatetimeIndex, steps: Mapping[date, float]
) -> Iterator[tuple[int, float]]:
    """The places over which the bars fell nearer to the step than to nothing, and what was left."""
    for day, left in steps.items():
        place = int(sessions.searchsorted(pd.Timestamp(day)))
        if not 0 < place < len(sessions):
            continue
        opened, closed = (float(values[name][place]) for name in ("open", "close"))
        gap = np.log((opened if opened > 0 else closed) / values["close"][place - 1])
        if abs(gap - np.log(left)) < abs(gap):
            yield place, left
