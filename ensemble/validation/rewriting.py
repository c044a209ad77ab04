"""Whether a feed's history may follow the stored one: restated by constants, corrected here and there, or rewritten.

At a split or dividend a feed multiplies all earlier bars by one constant, so that new over old is a stair of few steps.
A correction moves a bar or two. What scatters is neither: a feed that has lost its way, and nothing of it is taken.
"""

import numpy as np
import pandas as pd

from ensemble.arrays import Floats, Mask

SAME_WITHIN = 2e-3
"""Relative: what a feed's rounding of an old price, a few hundredths by now, does to new over old."""
AROUND = 21
"""Bars whose median ratio is the step that one belongs to."""
LEAST_REWRITTEN, MOST_CORRECTED = 10, 0.1
"""Bars that leave their step, in number and as a share of those compared, from which on they are no corrections."""


def rewritten(stored: pd.DataFrame, fresh: pd.DataFrame) -> int:
    """How many bars of both frames `fresh` changed by odd factors, where that is too many to believe; else 0."""
    shared = stored.index.intersection(fresh.index)
    if len(shared) < LEAST_REWRITTEN:
        return 0
    odd = np.zeros(len(shared), dtype=np.bool_)
    for name in ("close", "adj_close"):
        odd |= _off_the_stair(stored.loc[shared, name].to_numpy(), fresh.loc[shared, name].to_numpy())
    count = int(odd.sum())
    return count if count >= LEAST_REWRITTEN and count > MOST_CORRECTED * len(shared) else 0


def _off_the_stair(old: Floats, new: Floats) -> Mask:
    """Bars whose ratio differs from those around them."""
    ratio = pd.Series(new / old)
    step = ratio.rolling(AROUND, min_periods=1, center=True).median()
    off: Mask = ((ratio / step - 1).abs() > SAME_WITHIN).to_numpy()
    return off
