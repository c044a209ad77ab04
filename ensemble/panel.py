"""The panel: everything the members may see, one row a symbol and session, and what came of it."""

import hashlib
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ensemble.arrays import Integers, Singles


@dataclass(frozen=True, slots=True)
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
        return hashlib.sha256(names + np.ascontiguousarray(self.values[:, rows]).tobytes()).hexdigest()
