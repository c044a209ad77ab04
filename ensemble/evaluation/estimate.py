"""A number and where it may really lie."""

from dataclasses import dataclass

import numpy as np

from ensemble.arrays import Floats

Z_95 = 1.959963984540054


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value with its 95 % interval; NaN where it is not defined."""

    value: float
    low: float
    high: float


def from_draws(value: float, draws: Floats, *, stretch: float = 1.0) -> Estimate:
    """The interval that holds the middle 95 % of resampled values, those that are defined.

    Efron's (1979) percentile interval, each end as many times as far from `value` as `stretch` says. Undefined draws
    (the precision of who happens to say up nowhere) are left out.
    """
    known = draws[np.isfinite(draws)]
    if not np.isfinite(value) or len(known) == 0:
        return Estimate(value, np.nan, np.nan)
    low, high = value + stretch * (np.quantile(known, [0.025, 0.975]) - value)
    return Estimate(value, float(low), float(high))
