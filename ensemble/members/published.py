"""Trains an LSTM member as the inspiring document did: single windows and Keras' `fit`. The only home of TensorFlow.

Kept as the reference that the fast trainer is measured against; it runs in a spawned child alone.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from ensemble.arrays import Floats, Singles
from ensemble.members.curve import Curve, Epoch
from ensemble.members.errors import TrainingError
from ensemble.members.lstm import Lstm
from ensemble.members.network import Weights, first_weights
from ensemble.members.rows import base_log_odds
from ensemble.members.scaling import fit_scaler
from ensemble.members.specs import LstmSpec
from ensemble.windows import Window

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
# oneDNN picks its kernels by the processor and writes code at run time, which a hardened service may not.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

PATIENCE_BEFORE_SLOWER = 1
UNKNOWN = -1.0
"""Stands for an unknown label: the loss skips it."""


@dataclass(frozen=True, slots=True)
class Samples:
    """One window a sample: `inputs` (n, n_steps, n_features), `labels` (n, n_labels) of its last step or UNKNOWN."""

    inputs: Singles
    labels: Singles


def fit_published(spec: LstmSpec, window: Window, *, seed: int) -> Lstm:
    """Trains one network, keeps the epoch with the lowest validation loss. The same arguments give the same bits.

    Raises TrainingError when the window is shorter than a sequence or the loss stops being a number.
    """
    scaler = fit_scaler(window)
    training, validation = cut_samples(spec, window, scaler(window.values))
    for part, samples in (("training", training), ("validation", validation)):
        if not len(samples.inputs):
            raise TrainingError(
                f"member {spec.name}: {window.values.shape[1]} sessions leave no labelled sequence of "
                f"{spec.sequence_steps} for {part}; widen ensemble.window_years, shorten sequence_steps, or change "
                "validation_pct."
            )
    network = build_network(spec, window.values.shape[2], window.labels.shape[2])
    network.reset(seed, _base_rates(training.labels))
    curve = network.fit(training, validation)
    n_features, n_labels = window.values.shape[2], window.labels.shape[2]
    skip = {"skip_kernel": np.zeros((n_features, n_labels)), "skip_bias": np.zeros(n_labels)}
    return Lstm(scaler, network.weights() | skip, spec.sequence_steps, 0, curve)


def cut_samples(spec: LstmSpec, window: Window, inputs: Singles) -> tuple[Samples, Samples]:
    """Samples to train on and, from the newest `validation_pct` of the rows, to stop by; the embargo lies between."""
    rows = inputs.shape[1]
    split = rows - round(rows * spec.validation_pct / 100)
    labels = np.where(np.isfinite(window.labels), window.labels, UNKNOWN).astype(np.float32)
    early = range(spec.sequence_steps - 1, max(split - window.embargo_rows, spec.sequence_steps - 1))
    late = range(max(split, spec.sequence_steps - 1), rows)
    return _cut(inputs, labels, early, spec.sequence_steps), _cut(inputs, labels, late, spec.sequence_steps)


def _cut(inputs: Singles, labels: Singles, last_rows: range, steps: int) -> Samples:
    ends = np.array(last_rows, dtype=np.int64)
    cut = inputs[:, ends[:, None] + np.arange(1 - steps, 1)].reshape(-1, steps, inputs.shape[2])
    outcomes = labels[:, ends].reshape(-1, labels.shape[2])
    known = (outcomes != UNKNOWN).any(axis=1)
    return Samples(np.ascontiguousarray(cut[known]), outcomes[known])


def _base_rates(labels: Singles) -> Floats:
    """Log-odds of each label in training: the network starts from the class prior instead of one half."""
    return np.array([base_log_odds(column[column != UNKNOWN]) for column in labels.T.astype(np.float64)])


class Network:
    """One compiled Keras model, used again for every window: each costs seconds and 35 MB that never come back."""

    def __init__(self, spec: LstmSpec, n_features: int, n_labels: int) -> None:
        import keras
        import tensorflow as tf

        self._keras, self._spec, self._n_labels = keras, spec, n_labels
        self.model = _build(spec, n_features, n_labels)
        self._optimizer = keras.optimizers.Adam(spec.learning_rate, clipnorm=1.0)
        self.model.compile(optimizer=self._optimizer, loss=_known_log_loss(tf))

    def reset(self, seed: int, prior: Floats) -> None:
        """Weights, optimiser and random streams as if just built from `seed`."""
        random = np.random.default_rng(seed)
        self._keras.utils.set_random_seed(seed % 2**32)
        n_features = self.model.inputs[0].shape[2]
        self.set_weights(first_weights(self._spec.units, n_features, self._n_labels, random) | {"head_bias": prior})
        if not self._optimizer.built:
            self._optimizer.build(self.model.trainable_variables)
        for variable in self._optimizer.variables:
            variable.assign(np.zeros(variable.shape))
        self._optimizer.learning_rate.assign(self._spec.learning_rate)
        for layer in self.model.layers:
            if hasattr(layer, "seed_generator"):
                layer.seed_generator.state.assign(random.integers(0, 2**31, size=2))

    def fit(self, training: Samples, validation: Samples) -> Curve:
        """The best epoch's weights stay. Raises TrainingError when the loss is no number."""
        callbacks = self._keras.callbacks
        history = self.model.fit(
            training.inputs,
            training.labels,
            validation_data=(validation.inputs, validation.labels),
            batch_size=self._spec.batch_size,
            epochs=self._spec.max_epochs,
            verbose=0,
            callbacks=[
                callbacks.EarlyStopping(patience=self._spec.patience_epochs, restore_best_weights=True),
                callbacks.ReduceLROnPlateau(factor=0.5, patience=PATIENCE_BEFORE_SLOWER),
                callbacks.TerminateOnNaN(),
            ],
        ).history
        if not np.isfinite(history["loss"]).all():
            raise TrainingError(f"member {self._spec.name}: the loss is not a number; lower its learning_rate.")
        return tuple(
            Epoch(float(rate), float(loss), float(held_out))
            for rate, loss, held_out in zip(history["learning_rate"], history["loss"], history["val_loss"], strict=True)
        )

    def loss(self, samples: Samples) -> float:
        """Mean log loss over the known labels, as validation counts it."""
        return float(self.model.evaluate(samples.inputs, samples.labels, batch_size=self._spec.batch_size, verbose=0))

    def log_odds(self, windows: Floats) -> Floats:
        """What Keras itself forecasts: (n, n_steps, n_features) -> (n, n_labels)."""
        return np.asarray(self.model(windows.astype(np.float32), training=False), dtype=np.float64)

    def weights(self) -> dict[str, Floats]:
        """The trained weights under the names of `network.Weights`."""
        return self.by_name(self.model.trainable_variables)

    def by_name(self, values: Sequence[Any]) -> dict[str, Floats]:
        """One array a trainable variable, in Keras' order, under the names and shapes of `network.Weights`."""
        names = [_flat_name(variable.path) for variable in self.model.trainable_variables]
        return {
            name: _without_head_axis(np.asarray(one, dtype=np.float64), name)
            for name, one in zip(names, values, strict=True)
        }

    def set_weights(self, weights: Weights) -> None:
        """The inverse of `weights`."""
        for variable in self.model.trainable_variables:
            variable.assign(weights[_flat_name(variable.path)].reshape(variable.shape))


@lru_cache(maxsize=8)
def build_network(spec: LstmSpec, n_features: int, n_labels: int) -> Network:
    """The process's one network of this shape, in whatever state its last user left it."""
    import tensorflow as tf

    _one_thread(tf)
    return Network(spec, n_features, n_labels)


def _one_thread(tf: Any) -> None:
    """Two processes of one thread each beat one of two; and one thread adds in one order, so bits repeat."""
    try:
        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(1)
    except RuntimeError:
        return  # already running: the first network of this process has set it


def _build(spec: LstmSpec, n_features: int, n_labels: int) -> Any:
    """LSTM layers with dropout after each -> the last state, and what it attends to in all -> one logit a label."""
    import keras

    layers = keras.layers
    inputs = hidden = keras.Input((spec.sequence_steps, n_features))
    for number, units in enumerate(spec.units):
        hidden = layers.LSTM(units, return_sequences=True, name=f"lstm_{number}")(hidden)
        hidden = layers.Dropout(spec.dropout)(hidden)
    last = hidden[:, -1:]
    gathered = layers.MultiHeadAttention(num_heads=1, key_dim=spec.units[-1], name="attention")(last, hidden)
    joined = layers.Flatten()(layers.Concatenate()([last, gathered]))
    return keras.Model(inputs, layers.Dense(n_labels, name="head")(joined))


def _known_log_loss(tf: Any) -> Any:
    """Mean log loss over the known labels."""

    def log_loss(labels: Any, logits: Any) -> Any:
        known = tf.cast(labels >= 0, logits.dtype)
        losses = tf.nn.sigmoid_cross_entropy_with_logits(labels=tf.maximum(labels, 0.0), logits=logits)
        return tf.reduce_sum(losses * known) / tf.maximum(tf.reduce_sum(known), 1.0)

    return log_loss


def _flat_name(path: str) -> str:
    """The name in `network.Weights`: that of lstm_0/lstm_cell/recurrent_kernel is lstm_0_recurrent."""
    parts = [part for part in path.split("/") if part != "lstm_cell"]
    return (
        "_".join(parts[-3:] if "attention" in parts else parts[-2:])
        .replace("recurrent_kernel", "recurrent")
        .replace("attention_output", "output")
        .replace("attention_attention", "attention")
    )


def _without_head_axis(values: Floats, name: str) -> Floats:
    """Keras keeps an axis for the one attention head; ours has none."""
    if not name.startswith("attention") or name == "attention_output_bias":
        return values
    return values[0] if name.endswith("_bias") or name == "attention_output_kernel" else values[:, 0]
