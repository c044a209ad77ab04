"""A window is cut so that an epoch learns every row of every symbol once, from a state that is warm."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from ensemble.members.segments import Batch, Segments

ROWS, SYMBOLS = 97, 2


def numbered(warmup: int, learned: int) -> Segments:
    """Each label and the one feature say which symbol and row they are of, so that a cut can be followed."""
    number = (np.arange(1, ROWS + 1)[None, :] + 1000 * np.arange(SYMBOLS)[:, None]).astype(np.float32)[..., None]
    return Segments(number, number, number, warmup, learned)


def epoch(segments: Segments, size: int, seed: int) -> list[Batch]:
    return [segments.cut(places) for places in segments.batches(size, np.random.default_rng(seed))]


@given(st.integers(0, 10), st.integers(1, 120), st.integers(1, 9), st.integers(0, 50))
def test_an_epoch_learns_every_row_once(warmup: int, learned: int, size: int, seed: int) -> None:
    batches = epoch(numbered(warmup, learned), size, seed)
    labels = np.concatenate([batch.labels.ravel() for batch in batches])
    expected = [row + 1000 * symbol for symbol in range(SYMBOLS) for row in range(1, ROWS + 1)]
    assert sorted(labels[np.isfinite(labels)].tolist()) == expected
    assert all(batch.labels.shape[1] <= size for batch in batches)


@given(st.integers(0, 10), st.integers(1, 40))
def test_inputs_skip_and_labels_are_of_the_same_row(warmup: int, learned: int) -> None:
    for batch in epoch(numbered(warmup, learned), 5, seed=1):
        known = np.isfinite(batch.labels)
        assert_array_equal(batch.inputs[warmup:][known], batch.labels[known])
        assert_array_equal(batch.skip[known], batch.labels[known])


def test_no_loss_is_taken_while_the_state_warms_up() -> None:
    for batch in epoch(numbered(warmup=5, learned=20), 4, seed=1):
        assert (len(batch.inputs), len(batch.skip), len(batch.labels)) == (25, 20, 20)


def test_each_epoch_cuts_at_another_phase() -> None:
    segments, random = numbered(warmup=5, learned=20), np.random.default_rng(0)
    phases = {int(np.concatenate(segments.batches(8, random))[:, 1].min()) for _ in range(12)}
    assert len(phases) > 3
