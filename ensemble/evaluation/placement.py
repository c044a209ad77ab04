"""The area under the ROC curve, and where each forecast stands among those of the other outcome."""

import numpy as np

from ensemble.arrays import Floats


def auc(probability: Floats, outcome: Floats) -> float:
    """P(an up was given more than a down), a tie counts half; NaN where all outcomes are the same.

    `probability` (n,) and `outcome` (n,) of 0 and 1. Mann and Whitney's (1947) statistic, as a share of the pairs.
    """
    from scipy.stats import rankdata

    up = outcome > 0.5
    ups, downs = int(up.sum()), int((~up).sum())
    if not ups or not downs:
        return np.nan
    return float((rankdata(probability)[up].sum() - ups * (ups + 1) / 2) / (ups * downs))


def placements(probability: Floats, outcome: Floats) -> Floats:
    """For an up the share of downs given less, for a down the share of ups given more, (n,); a tie counts half.

    The structural components of DeLong, DeLong and Clarke-Pearson (1988), by midranks: Sun and Xu (2014). Either
    outcome must be there.
    """
    from scipy.stats import rankdata

    up = outcome > 0.5
    among_all = rankdata(probability)
    placed = np.empty(len(probability))
    placed[up] = (among_all[up] - rankdata(probability[up])) / (~up).sum()
    placed[~up] = 1 - (among_all[~up] - rankdata(probability[~up])) / up.sum()
    return placed
