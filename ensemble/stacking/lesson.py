"""What a month's voices learn from: a label's past forecasts, what came of them, and how far rows repeat each other."""

from dataclasses import dataclass

import numpy as np

from ensemble.arrays import Floats, Mask
from ensemble.long_run import rows_for_one
from ensemble.stacking.history import MemberOdds


@dataclass(frozen=True, slots=True)
class Lesson:
    """Rows that were forecast out of sample, with the outcomes that were known by then."""

    odds: MemberOdds
    label: int
    outcomes: Floats
    """(n_symbols, n_rows) of 0 and 1, NaN not known."""
    lags: int
    """By how many sessions outcomes overlap."""

    def known(self) -> Mask:
        """Which rows have an outcome."""
        return np.isfinite(self.outcomes)

    def mean(self) -> Floats:
        """The mean of the members' log-odds, (n_symbols, n_rows)."""
        return np.asarray(self.odds.mean()[..., self.label])

    def members(self) -> Floats:
        """The members' log-odds, (n_members, n_symbols, n_rows)."""
        return np.asarray(self.odds.clipped()[..., self.label])

    def alike(self) -> float:
        """How many rows tell as much as one that stands for itself, from the errors of the mean; at least 1."""
        return rows_for_one(self.outcomes - 1 / (1 + np.exp(-self.mean())), lags=self.lags)
