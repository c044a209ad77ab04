"""What the members forecast out of sample in past months: all that a stack may learn from."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ensemble.arrays import Floats, Integers, Singles

CLIP_LOG_ODDS = 4.0
"""Member log-odds beyond this (98 %) are cut: nobody forecasts a stock better, and one such row would rule a fit."""


class ColumnMismatch(ValueError):
    """Stored forecasts or a stored combiner belong to other members or conditions than they are used with."""


@dataclass(frozen=True, slots=True)
class MemberOdds:
    """What the members said about some rows, and the conditions under which they said it.

    Raises ColumnMismatch when the arrays do not have one entry for each name.
    """

    members: tuple[str, ...]
    log_odds: Floats
    """(n_members, n_symbols, n_rows, n_labels)."""
    condition_names: tuple[str, ...]
    conditions: Floats
    """(n_symbols, n_rows, n_conditions): regime and context, NaN unknown."""

    def __post_init__(self) -> None:
        if self.log_odds.shape[0] != len(self.members):
            raise ColumnMismatch(
                f"forecasts of {self.log_odds.shape[0]} members were stored; the configuration has "
                f"{len(self.members)}: {', '.join(self.members)}. Train the month again."
            )
        if self.conditions.shape != (*self.log_odds.shape[1:3], len(self.condition_names)):
            raise ColumnMismatch(
                f"conditions had shape {self.conditions.shape}; it must be {self.log_odds.shape[1:3]} symbols and rows "
                f"with one column for each of {', '.join(self.condition_names) or 'none'}."
            )

    def clipped(self) -> Floats:
        """The members' log-odds, cut at CLIP_LOG_ODDS."""
        return np.clip(self.log_odds, -CLIP_LOG_ODDS, CLIP_LOG_ODDS)

    def mean(self) -> Floats:
        """The mean of the members' log-odds, (n_symbols, n_rows, n_labels)."""
        return np.asarray(self.clipped().mean(axis=0))

    def vote(self) -> Floats:
        """Log-odds of the share of members that say up, half a vote added to each side."""
        ups = (self.log_odds > 0).sum(axis=0)
        return np.asarray(np.log((ups + 0.5) / (len(self.members) - ups + 0.5)))

    def rows(self, rows: slice) -> "MemberOdds":
        """The same for some of the rows."""
        return MemberOdds(self.members, self.log_odds[:, :, rows], self.condition_names, self.conditions[:, rows])

    def table(self, label: int) -> Floats:
        """What the stack sees of a label, (n_symbols * n_rows, n): members' log-odds, their spread, the conditions."""
        odds = self.clipped()[..., label]
        columns = [*odds, odds.std(axis=0), *np.moveaxis(self.conditions, -1, 0)]
        return np.column_stack([column.ravel() for column in columns])


@dataclass(frozen=True, slots=True)
class History:
    """Consecutive sessions forecast out of sample, with what came of them.

    `labels` (n_symbols, n_rows, n_labels) as they turned out, NaN unknown; `month` (n_rows,) counts months from 0 and
    rises by one where a new month begins; `ends` (n_labels,) is how many rows past its own each label reaches.
    """

    odds: MemberOdds
    sessions: pd.DatetimeIndex
    labels: Singles
    month: Integers
    ends: tuple[int, ...]

    @property
    def n_months(self) -> int:
        """How many months it spans."""
        return int(self.month[-1]) + 1 if len(self.month) else 0

    def months(self, first: int, stop: int) -> slice:
        """Rows of the months first, ..., stop - 1."""
        return slice(int(np.searchsorted(self.month, first)), int(np.searchsorted(self.month, stop)))

    def known(self, rows: slice, label: int, *, before: int) -> Floats:
        """Outcomes of `label` in `rows`, NaN unless their end lies before row `before`: (n_symbols, n_rows)."""
        outcomes = self.labels[:, rows, label].astype(np.float64)
        outcomes[:, np.arange(rows.start, rows.stop) + self.ends[label] >= before] = np.nan
        return outcomes
