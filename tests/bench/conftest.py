"""A small panel of noise: enough to train on, nothing to learn."""

import numpy as np
import pandas as pd
import pytest

from ensemble.labels import LABELS
from ensemble.panel import Panel
from ensemble.windows import Window

N_FEATURES = 3


@pytest.fixture(scope="session")
def panel() -> Panel:
    """Two symbols, 400 sessions from 2020 on, one label in ten unknown."""
    random = np.random.default_rng(0)
    values = random.normal(size=(2, 400, N_FEATURES)).astype(np.float32)
    labels = random.integers(0, 2, (2, 400, len(LABELS))).astype(np.float32)
    labels[random.random(labels.shape) < 0.1] = np.nan
    sessions = pd.date_range("2020-01-01", periods=400, freq="B", name="session", unit="us")
    names = tuple(f"feature_{number}" for number in range(N_FEATURES))
    return Panel(("AAA", "BBB"), sessions, names, values, labels, np.ones((2, 400), dtype=np.int64))


@pytest.fixture(scope="session")
def window(panel: Panel) -> Window:
    """Its first 300 sessions."""
    return Window(panel.values[:, :300], panel.labels[:, :300], embargo_rows=3)
