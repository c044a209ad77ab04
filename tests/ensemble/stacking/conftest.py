"""A made-up past: two members that see a signal, four labels, months of sessions."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from ensemble.labels import LABELS
from ensemble.stacking.history import History, MemberOdds

MONTHS, DAYS, SYMBOLS = 24, 21, 6
N_ROWS = MONTHS * DAYS
MakeHistory = Callable[..., History]


@pytest.fixture(scope="session")
def make_history() -> MakeHistory:
    """make_history(truth=1.0, says=1.0, seed=0): 24 months of 21 sessions, six symbols."""
    return _make_history


def _make_history(truth: float = 1.0, says: float = 1.0, seed: int = 0) -> History:
    """Two noisy members that see log-odds `truth` times a signal and say `says` times what they see."""
    random = np.random.default_rng(seed)
    shape = (SYMBOLS, N_ROWS, len(LABELS))
    signal = random.normal(size=shape)
    labels = (random.random(shape) < 1 / (1 + np.exp(-truth * signal))).astype(np.float32)
    odds = np.stack([says * (signal + random.normal(0, 0.1, shape)) for _ in range(2)])
    return History(
        MemberOdds(("one", "two"), odds, ("trend", "fear"), random.normal(size=(SYMBOLS, N_ROWS, 2))),
        pd.date_range("2015-01-01", periods=N_ROWS, freq="B"),
        labels,
        np.repeat(np.arange(MONTHS), DAYS),
        ends=(0, 0, 0, 9),
    )
