"""The compiled loops do what NumPy does."""

import numpy as np
from numpy.testing import assert_allclose

from ensemble.arrays import Reals
from ensemble.members import kernels, recurrence

COUNT, UNITS = 5, 19  # no multiple of any vector's length


def some(*shape: int, seed: int = 0, spread: float = 1.0) -> Reals:
    return np.random.default_rng(seed).normal(scale=spread, size=shape).astype(np.float32)


def test_compiled_gates_open_as_those_of_the_forecast() -> None:
    start, recalled, bias = some(COUNT, 4 * UNITS, spread=5.0), some(COUNT, 4 * UNITS, seed=1), some(4 * UNITS, seed=2)
    before, opened = some(COUNT, UNITS, seed=3), []
    for opener in (recurrence.open_gates, kernels.open_gates):
        gates, (cell, squashed, state) = start.copy(), np.empty((3, COUNT, UNITS), np.float32)
        opener(gates, recalled, bias, before, cell, squashed, state)
        opened.append((gates, cell, squashed, state))
    for numpy_made, compiled in zip(*opened, strict=True):
        assert_allclose(compiled, numpy_made, atol=1e-6)


def test_no_number_opens_no_gate() -> None:
    gates, recalled = np.full((2, 1, 4), np.nan, np.float32)
    before, cell, squashed, state = np.zeros((4, 1, 1), np.float32)
    kernels.open_gates(gates, recalled, np.zeros(4, np.float32), before, cell, squashed, state)
    assert np.isnan(state).all()


def test_inputs_are_disturbed_within_the_width_and_dropped_whole() -> None:
    inputs, noise = some(7, COUNT, UNITS), np.random.default_rng(4).random((7, COUNT, UNITS), dtype=np.float32)
    kept, drawn = (some(COUNT, UNITS, seed=5) > 0).astype(np.float32) * 2, noise.copy()
    kernels.disturb(noise, inputs, kept, 0.6)
    assert_allclose(noise, (inputs + 0.6 * (drawn - 0.5)) * kept, atol=1e-6)
