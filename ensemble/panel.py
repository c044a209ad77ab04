"""The panel: everything the members may see, one row a symbol and session, and what came of it."""

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from ensemble.arrays import Integers, Singles


@dataclass(frozen=True)
class Panel:
    """Features as known at each session's decision, and labels as they turned out.

    `values` (n_symbols, n_sessions, n_features) and `labels` (n_symbols, n_sessions, n_labels): NaN is unknown.
    `bar_age` (n_symbols, n_sessions): sessions since the newest bar known at the decision; 1 is fresh, -1 none.
    """

    symbols: tuple[str, ...]
    sessions: pd.DatetimeIndex
    features: tuple[str, ...]
    values: Singles
    labels: Singles
    bar_age: Integers

    def digest(self, rows: slice) -> str:
        """SHA-256 of the features in `rows`, hexadecimal: what a forecast that reads just those can have known."""
        names = "\n".join((*self.symbols, *self.features)).encode()
        return hashlib.sha256(names + b"".join(self._row_digests[rows])).hexdigest()

    @cached_property
    def _row_digests(self) -> tuple[bytes, ...]:
        """Each row's own: a row that 80 forecasts look back on is read once, not 80 times."""
        by_row = np.ascontiguousarray(self.values.swapaxes(0, 1))
        return tuple(hashlib.sha256(row.tobytes()).digest() for row in by_row)
