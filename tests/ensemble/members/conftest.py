"""Windows to learn from, with something in them or with nothing."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from ensemble.labels import LABELS
from ensemble.panel import Panel

N_FEATURES = 6


@pytest.fixture(scope="session")
def make_panel() -> Callable[..., Panel]:
    """make_panel(rows=500, strength=1.0, ups=0.5, seed=0): two symbols whose labels follow feature 0 of their row."""
    return _make_panel


def _make_panel(rows: int = 500, strength: float = 1.0, ups: float = 0.5, seed: int = 0) -> Panel:
    random = np.random.default_rng(seed)
    values = random.normal(size=(2, rows, N_FEATURES)).astype(np.float32)
    log_odds = strength * 2 * values[:, :, :1] + np.log(ups / (1 - ups))
    labels = (random.random((2, rows, len(LABELS))) < 1 / (1 + np.exp(-log_odds))).astype(np.float32)
    sessions = pd.date_range("2015-01-01", periods=rows, freq="B", name="session", unit="us")
    names = tuple(f"feature_{number}" for number in range(N_FEATURES))
    return Panel(("AAA", "BBB"), sessions, names, values, labels, np.ones((2, rows), dtype=np.int64))
