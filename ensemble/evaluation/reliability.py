"""The reliability diagram: how often forecasts of about one size came true, each with its interval."""

from dataclasses import dataclass

import numpy as np

from ensemble.arrays import Mask
from ensemble.evaluation.calibration import BINS, bin_of
from ensemble.evaluation.estimate import Estimate
from ensemble.evaluation.scored import Scored
from ensemble.evaluation.share import share

LEAST_IN_A_BIN = 20
"""Of fewer forecasts the interval would span most of the diagram."""


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Forecasts of about one size."""

    said: float
    """Their mean probability."""
    came_true: Estimate
    """The share of them whose label came true, with its 95 % interval."""
    forecasts: int


def reliability(scored: Scored) -> tuple[ReliabilityBin, ...]:
    """At most ten bins of about equal counts, the lowest first; empty where no outcome is known.

    The intervals know that stocks of one session move together and that labels overlap.
    """
    known = int(scored.known.sum())
    if not known:
        return ()
    probability, _ = scored.flat()
    place = np.full(scored.known.T.shape, -1, dtype=np.int64)
    place[scored.known.T] = bin_of(probability, min(max(known // LEAST_IN_A_BIN, 1), BINS))
    return tuple(_bin(scored, one == place.T) for one in np.unique(place[place >= 0]))


def _bin(scored: Scored, rows: Mask) -> ReliabilityBin:
    came_true = share(np.where(rows, scored.outcome, np.nan), lags=scored.lags)
    return ReliabilityBin(float(scored.probability[rows].mean()), came_true, int(rows.sum()))
