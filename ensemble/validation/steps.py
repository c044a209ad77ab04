"""What companies did to their shares that no feed adjusts a price for: the falls that are no moves."""

from collections.abc import Mapping
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
    for day, left in sorted(steps.items(), reverse=True):  # the newest first: a factor moves both sides of older ones
        place = int(sessions.searchsorted(pd.Timestamp(day)))
        if not 0 < place < len(sessions):
            continue
        opened, closed = (float(continuous[name][place]) for name in ("open", "close"))
        gap = np.log((opened if opened > 0 else closed) / continuous["close"][place - 1])
        if abs(gap - np.log(left)) < abs(gap):
            before = np.where(np.arange(len(sessions)) < place, left, 1.0)
            continuous |= {name: continuous[name] * before for name in _PRICES}
    return continuous
