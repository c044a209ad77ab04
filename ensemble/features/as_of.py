"""The one as-of cut: the only way from something observed to something a decision may use."""

import numpy as np
import pandas as pd

from ensemble.arrays import Floats, Integers

MAX_AGE = pd.Timedelta(days=12)
"""Older observations count as unknown: a series that stopped must not speak for ever."""


def newest_known(available_at: pd.DatetimeIndex, instants: pd.DatetimeIndex) -> Integers:
    """For each instant the position of the newest row available by then, -1 where there is none or it is too old.

    Shape (n_instants,). Both indexes are UTC; `available_at` must be sorted.
    """
    position = available_at.searchsorted(instants, side="right").astype(np.int64) - 1
    if len(available_at) == 0:
        return position
    too_old = np.asarray(instants - available_at[np.maximum(position, 0)] > MAX_AGE)
    return np.where((position < 0) | too_old, -1, position)


def take_known(values: Floats, position: Integers) -> Floats:
    """values[position] along the first axis, NaN where position is -1."""
    known = np.full((len(position), *values.shape[1:]), np.nan)
    known[position >= 0] = values[position[position >= 0]]
    return known
