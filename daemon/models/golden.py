"""The golden input of a version: some rows of features, and what it said of them when it was made.

Whoever loads the version asks it again: arrays that are whole may still be read otherwise by another library or code.
"""

import numpy as np
import pandas as pd

from ensemble.arrays import Floats
from ensemble.labels import LABELS
from ensemble.members.fitted import Files, pack_arrays, unpack_arrays
from ensemble.model import Members, member_odds
from ensemble.panel import Panel
from ensemble.stacking.combiner import Combiner
from storage.model_store import ModelStoreError

SYMBOLS = 2
"""So many stocks are enough to tell, and keep the part small."""
TOLERANCE = 1e-6
"""How far log-odds may lie from those of the day it was made: another processor adds in another order."""
FILE = "golden.npz"


def make_golden(members: Members, combiner: Combiner, panel: Panel, *, row: int, rows_seen: int) -> Files:
    """The part: features of the row and those before it that a forecast sees, and the log-odds, of members and all."""
    values = panel.values[:SYMBOLS, max(row + 1 - rows_seen, 0) : row + 1]
    odds, combined = _ask(members, combiner, values, panel.features)
    return {FILE: pack_arrays({"values": values, "members": odds, "combined": combined})}


def check_golden(files: Files, members: Members, combiner: Combiner, features: tuple[str, ...]) -> None:
    """Raises ModelStoreError when the version says something else than on the day it was made."""
    stored = unpack_arrays(files[FILE])
    values = stored["values"].astype(np.float32)
    said = dict(zip(("members", "combined"), _ask(members, combiner, values, features), strict=True))
    for name, now in said.items():
        then = stored[name]
        if then.shape != now.shape or not np.allclose(now, then, rtol=0, atol=TOLERANCE, equal_nan=True):
            raise ModelStoreError(
                f"its {name} answer the golden input otherwise than when it was made; install the libraries that its "
                "manifest names, or retrain."
            )


def _ask(members: Members, combiner: Combiner, values: np.ndarray, features: tuple[str, ...]) -> tuple[Floats, Floats]:
    """Log-odds of the last row: of each member, and combined."""
    n_symbols, n_rows, _ = values.shape
    panel = Panel(
        tuple(f"golden {place}" for place in range(n_symbols)),
        pd.date_range("2000-01-01", periods=n_rows),
        features,
        values,
        np.full((n_symbols, n_rows, len(LABELS)), np.nan, dtype=np.float32),
        np.ones((n_symbols, n_rows), dtype=np.int64),
    )
    odds = member_odds(members, panel, slice(n_rows - 1, n_rows))
    return odds.log_odds, combiner.log_odds(odds)
