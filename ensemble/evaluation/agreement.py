"""Is the ensemble right more often when its members agree?"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ensemble.arrays import Floats
from ensemble.evaluation.estimate import Estimate
from ensemble.evaluation.scored import Scored
from ensemble.evaluation.share import share


@dataclass(frozen=True, slots=True)
class AgreementGroup:
    """The forecasts from which equally many members dissented."""

    dissenters: int
    """Members that were on the other side of one half than the ensemble."""
    forecasts: int
    right: Estimate
    """The share that was on the right side, with its 95 % interval."""
    commoner_side: float
    """The share that always naming the side that came more often would have had right; known only afterwards."""


def agreement(scored: Scored, members: Mapping[str, Floats]) -> tuple[AgreementGroup, ...]:
    """The groups that have forecasts, the most united first.

    `members`: name -> probability, (n_symbols, n_sessions), NaN where it said nothing: then it does not dissent.
    """
    up = scored.probability > 0.5
    dissenters = np.zeros(up.shape, dtype=np.int64)
    for said in members.values():
        dissenters += np.isfinite(said) & ((said > 0.5) != up)
    right = np.where(scored.known, up == (scored.outcome > 0.5), np.nan)
    groups = []
    for count in np.unique(dissenters[scored.known]):
        rows = scored.known & (dissenters == count)
        ups = float(scored.outcome[rows].mean())
        found = share(np.where(rows, right, np.nan), lags=scored.lags)
        groups.append(AgreementGroup(int(count), int(rows.sum()), found, max(ups, 1 - ups)))
    return tuple(groups)
