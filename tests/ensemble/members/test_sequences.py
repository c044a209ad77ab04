"""A window is cut so that every row after the warm-up is learned from once, and validation stays apart."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ensemble.members.scaling import CLIP, fit_scaler
from ensemble.members.sequences import UNKNOWN, cut_sequences
from ensemble.members.specs import LstmSpec
from ensemble.windows import Window

ROWS = 200


def spec(warmup: int = 5, sequence: int = 20, validation_pct: float = 15.0) -> LstmSpec:
    return LstmSpec(name="x", units=(2,), warmup_steps=warmup, sequence_steps=sequence, validation_pct=validation_pct)


def numbered_window(rows: int = ROWS, embargo: int = 4) -> Window:
    """Each label says which row it is of, so that a cut can be followed."""
    values = np.random.default_rng(0).normal(size=(2, rows, 3)).astype(np.float32)
    labels = np.broadcast_to(np.arange(rows, dtype=np.float32)[None, :, None], (2, rows, 4)).copy()
    return Window(values, labels, embargo)


@given(st.integers(0, 10), st.integers(2, 40), st.floats(5, 40))
def test_rows_are_learned_from_once_and_never_near_the_validation(warmup: int, sequence: int, pct: float) -> None:
    window = numbered_window()
    training, validation = cut_sequences(spec(warmup, sequence, pct), window, fit_scaler(window))
    learned, judged = (
        np.sort(part.labels[:, :, 0][part.labels[:, :, 0] != UNKNOWN]) for part in (training, validation)
    )
    split = ROWS - round(ROWS * pct / 100)
    assert all(count == 2 for count in np.unique(np.concatenate([learned, judged]), return_counts=True)[1])
    assert learned.size == 0 or learned.max() < split - 4
    assert judged.min() >= split
    assert judged.max() == ROWS - 1
    assert set(learned) >= set(range(warmup + sequence, split - 4))


def test_no_loss_is_taken_while_the_state_warms_up() -> None:
    window = numbered_window()
    training, validation = cut_sequences(spec(warmup=5), window, fit_scaler(window))
    for part in (training, validation):
        assert (part.labels[:, :5] == UNKNOWN).all()


def test_standardised_features_are_cut_and_unknown_ones_are_zero() -> None:
    window = numbered_window()
    window.values[0, 0] = (1e6, np.nan, -1e6)
    window.values[:, :, 2] = 3.0
    scaler = fit_scaler(window)
    assert scaler(window.values[:, :1])[0, 0].tolist() == [CLIP, 0.0, 0.0]


@pytest.mark.parametrize("feature", [0, 1])
def test_standardising_gives_mean_zero_and_deviation_one(feature: int) -> None:
    window = numbered_window()
    window.values[:, :20, 1] = np.nan
    scaled = fit_scaler(window)(window.values)[:, 20:, feature]
    assert abs(scaled.mean()) < 0.1
    assert abs(scaled.std() - 1) < 0.1
