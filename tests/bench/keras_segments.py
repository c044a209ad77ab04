"""The network of the fast path as a Keras model on the same segments: a rung between the two recipes."""

from collections.abc import Callable
from typing import Any

import numpy as np

from ensemble.members.published import UNKNOWN  # that file also sets what TensorFlow reads when it is loaded
from ensemble.members.specs import LstmSpec
from tests.bench.step import Epoch


def keras_epoch(spec: LstmSpec, epoch: Epoch) -> Callable[[], object]:
    """One `fit` over the epoch's segments."""
    whole = epoch.whole()
    inputs = np.ascontiguousarray(whole.inputs.swapaxes(0, 1))
    labels = np.full((*inputs.shape[:2], whole.labels.shape[2]), np.nan)
    labels[:, spec.warmup_steps :] = whole.labels.swapaxes(0, 1)
    labels = np.nan_to_num(labels, nan=UNKNOWN)
    model = _build(spec, inputs.shape[2], labels.shape[2])
    return lambda: model.fit(inputs, labels, batch_size=spec.segments_per_step, epochs=1, verbose=0)


def _build(spec: LstmSpec, n_features: int, n_labels: int) -> Any:
    import keras

    layers = keras.layers
    steps = spec.warmup_steps + spec.learned_steps
    inputs = keras.Input((steps, n_features))
    hidden = layers.SpatialDropout1D(spec.input_dropout)(layers.GaussianNoise(spec.input_noise)(inputs))
    for units in spec.units:
        hidden = layers.SpatialDropout1D(spec.dropout)(layers.LSTM(units, return_sequences=True)(hidden))
    attention = layers.MultiHeadAttention(num_heads=1, key_dim=spec.units[-1])
    attended = attention(hidden, hidden, attention_mask=_look_back(steps, spec.sequence_steps))
    model = keras.Model(inputs, layers.Dense(n_labels)(layers.Concatenate()([hidden, attended])))
    model.compile(optimizer=keras.optimizers.Adam(spec.learning_rate, global_clipnorm=1.0), loss=_known_log_loss)
    return model


def _look_back(steps: int, sequence_steps: int) -> Any:
    """True where step i may attend to step j, (1, steps, steps)."""
    distance = np.arange(steps)[:, None] - np.arange(steps)[None, :]
    return ((distance >= 0) & (distance < sequence_steps))[None]


def _known_log_loss(labels: Any, logits: Any) -> Any:
    """Mean log loss over the known labels."""
    import tensorflow as tf

    known = tf.cast(labels != UNKNOWN, logits.dtype)
    losses = tf.nn.sigmoid_cross_entropy_with_logits(labels=tf.maximum(labels, 0.0), logits=logits)
    return tf.reduce_sum(losses * known) / tf.maximum(tf.reduce_sum(known), 1.0)
