"""The network's way back, written out by hand, leads where TensorFlow's does; and its forward pass is Keras' own."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from ensemble.arrays import Reals
from ensemble.members.attention import attend
from ensemble.members.backpropagation import slopes_by_weights
from ensemble.members.network import first_weights, run_network
from ensemble.members.published import build_network
from ensemble.members.specs import PRESETS, LstmSpec

LSTM_PRESETS = [name for name, preset in PRESETS.items() if "units" in preset]
FEATURES, LABELS, STEPS, ASKING, COUNT = 6, 4, 12, 9, 3


def spoken(units: tuple[int, ...], seed: int = 7) -> dict[str, Reals]:
    """First weights whose head is not silent, so that slopes reach every weight."""
    random = np.random.default_rng(seed)
    weights = first_weights(units, FEATURES, LABELS, random)
    return {name: one + random.normal(scale=0.1, size=one.shape) for name, one in weights.items()}


@pytest.mark.parametrize("preset", LSTM_PRESETS)
def test_the_forward_pass_equals_keras_within_1e_5(preset: str) -> None:
    spec = LstmSpec.model_validate(dict(PRESETS[preset]) | {"name": preset, "sequence_steps": STEPS})
    network = build_network(spec, FEATURES, LABELS)
    weights = spoken(spec.units)
    network.set_weights(weights)
    windows = np.random.default_rng(1).normal(size=(9, STEPS, FEATURES))
    ours = run_network(weights, windows.swapaxes(0, 1), look_back=STEPS, asking=1).log_odds[0]
    assert_allclose(ours, network.log_odds(windows), atol=1e-5)


def test_the_slopes_equal_those_of_tensorflow() -> None:
    import tensorflow as tf

    units = (5, 4)
    network = build_network(LstmSpec(name="x", units=units, dropout=0.0, sequence_steps=STEPS), FEATURES, LABELS)
    weights = spoken(units)
    network.set_weights(weights)
    random = np.random.default_rng(2)
    inputs, by_log_odds = random.normal(size=(STEPS, COUNT, FEATURES)), random.normal(size=(1, COUNT, LABELS))
    with tf.GradientTape() as tape:
        said = network.model(tf.constant(inputs.swapaxes(0, 1), tf.float32), training=False)
        loss = tf.reduce_sum(said * by_log_odds[0].astype(np.float32))
    theirs = network.by_name(tape.gradient(loss, network.model.trainable_variables))
    done = run_network(weights, inputs, look_back=STEPS, asking=1)
    ours = slopes_by_weights(weights, done, by_log_odds, masks=[np.ones((1, 1))] * 2)
    assert ours.keys() == theirs.keys()
    for name, slope in ours.items():
        assert_allclose(slope, theirs[name], atol=1e-5, err_msg=name)


@pytest.mark.parametrize("name", sorted(first_weights((4, 3), FEATURES, LABELS, np.random.default_rng(0))))
def test_every_slope_equals_a_finite_difference_with_masks_and_a_short_look_back(name: str) -> None:
    random = np.random.default_rng(3)
    weights, inputs = spoken((4, 3)), random.normal(size=(STEPS, COUNT, FEATURES))
    by_log_odds = random.normal(size=(ASKING, COUNT, LABELS))
    masks = [random.random((COUNT, units)) for units in (4, 3)]

    def loss() -> float:
        done = run_network(weights, inputs, look_back=5, asking=ASKING, masks=masks)
        return float((done.log_odds * by_log_odds).sum())

    done = run_network(weights, inputs, look_back=5, asking=ASKING, masks=masks)
    slope = slopes_by_weights(weights, done, by_log_odds, masks=masks)[name].ravel()
    flat, step = weights[name].ravel(), 1e-6
    weights[name] = flat.reshape(weights[name].shape)
    for place in random.integers(0, len(flat), size=5):
        flat[place] += step
        above = loss()
        flat[place] -= 2 * step
        below = loss()
        flat[place] += step
        assert_allclose(slope[place], (above - below) / (2 * step), rtol=1e-5, atol=1e-7)


def test_attention_sees_no_step_ahead_and_none_beyond_its_look_back() -> None:
    weights, random = spoken((4,)), np.random.default_rng(4)
    hidden = random.normal(size=(STEPS, 1, 4))
    before, _ = attend(hidden, weights, look_back=3, asking=STEPS)
    changed = hidden.copy()
    changed[6] += 1.0
    after, _ = attend(changed, weights, look_back=3, asking=STEPS)
    moved = np.abs(after - before).max(axis=(1, 2)) > 0
    assert moved.tolist() == [6 <= step < 9 for step in range(STEPS)]
