"""Adam as published, and a step size that rises and falls once."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from ensemble.arrays import Reals
from ensemble.members.descent import RISE_SHARE, Descent


def test_the_first_steps_equal_keras_adam() -> None:
    import keras

    random = np.random.default_rng(0)
    start: dict[str, Reals] = {"a": random.normal(size=(3, 2)), "b": random.normal(size=4)}
    descent = Descent(start, peak_rate=0.01)
    variables = [keras.Variable(one.astype(np.float32)) for one in start.values()]
    adam = keras.optimizers.Adam(learning_rate=0.0, epsilon=1e-7)
    for step in range(1, 8):
        slopes = {name: 0.1 * random.normal(size=one.shape).astype(np.float32) for name, one in start.items()}
        descent.step(slopes, progress=step / 7)
        adam.learning_rate = descent.rate(step / 7)
        adam.apply(list(slopes.values()), variables)
    for ours, theirs in zip(descent.weights.values(), variables, strict=True):
        assert_allclose(
            ours, np.asarray(theirs), atol=1e-5
        )  # Keras adds its epsilon before the correction for the start


def test_long_slopes_are_cut_together() -> None:
    short, long = Descent({"a": np.zeros(2)}, 0.1), Descent({"a": np.zeros(2)}, 0.1)
    for progress in (0.3, 0.6):
        short.step({"a": np.array([0.6, 0.8], np.float32)}, progress)
        long.step({"a": np.array([60, 80], np.float32)}, progress)
    assert_allclose(short.weights["a"], long.weights["a"], rtol=1e-6)


@pytest.mark.parametrize(("progress", "rate"), [(0.0, 0.0), (RISE_SHARE / 2, 0.05), (RISE_SHARE, 0.1), (1.0, 0.0)])
def test_the_step_size_goes_through_one_cycle(progress: float, rate: float) -> None:
    assert Descent({"a": np.zeros(1)}, peak_rate=0.1).rate(progress) == pytest.approx(rate)
