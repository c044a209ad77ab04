"""Trains the LSTM members with Keras. The only file that imports TensorFlow; it runs in a spawned child alone."""

import os
from functools import lru_cache
from typing import Any

import numpy as np

from ensemble.arrays import Floats, Singles
from ensemble.members.lstm import SKIP_GAIN, Lstm
from ensemble.members.rows import base_log_odds
from ensemble.members.scaling import fit_scaler
from ensemble.members.sequences import UNKNOWN, Sequences, cut_sequences
from ensemble.members.specs import LstmSpec
from ensemble.windows import Window

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
# oneDNN picks its kernels by the processor and writes code at run time, which a hardened service may not.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

PATIENCE_BEFORE_SLOWER = 1


class TrainingError(RuntimeError):
    """A network could not be trained: too little data, or its loss is not a number."""


def fit_lstm(spec: LstmSpec, window: Window, *, seed: int) -> Lstm:
    """Trains one network, keeps the epoch with the lowest validation loss. The same arguments give the same bits.

    Raises TrainingError when the window is shorter than a sequence or the loss stops being a number.
    """
    scaler = fit_scaler(window)
    training, validation = cut_sequences(spec, window, scaler)
    for part, sequences in (("training", training), ("validation", validation)):
        if not len(sequences.inputs):
            raise TrainingError(
                f"member {spec.name}: {window.values.shape[1]} sessions leave no labelled sequence of "
                f"{spec.warmup_steps + spec.sequence_steps} for {part}; widen ensemble.window_years, shorten the "
                "sequences, or change validation_pct."
            )
    network = build_network(spec, window.values.shape[2], window.labels.shape[2])
    network.reset(seed, _base_rates(training.labels))
    network.fit(training, validation)
    return Lstm(scaler, network.weights(), spec.sequence_steps, spec.warmup_steps)


def _base_rates(labels: Singles) -> Floats:
    """Log-odds of each label in training: the network starts from the class prior instead of one half."""
    flat = labels.reshape(-1, labels.shape[2]).astype(np.float64)
    return np.array([base_log_odds(column[column != UNKNOWN]) for column in flat.T])


class Network:
    """One compiled Keras model, used again for every window: each costs seconds and 35 MB that never come back."""

    def __init__(self, spec: LstmSpec, n_features: int, n_labels: int) -> None:
        import keras
        import tensorflow as tf

        self._keras, self._spec = keras, spec
        self._model = _build(spec, n_features, n_labels)
        self._optimizer = keras.optimizers.Adam(spec.learning_rate, clipnorm=1.0)
        self._model.compile(optimizer=self._optimizer, loss=_known_log_loss(tf))

    def reset(self, seed: int, prior: Floats) -> None:
        """Weights, optimiser and random streams as if just built from `seed`."""
        random = np.random.default_rng(seed)
        self._keras.utils.set_random_seed(seed % 2**32)
        for variable in self._model.trainable_variables:
            variable.assign(_initial(variable.path, tuple(variable.shape), random, prior))
        if not self._optimizer.built:
            self._optimizer.build(self._model.trainable_variables)
        for variable in self._optimizer.variables:
            variable.assign(np.zeros(variable.shape))
        self._optimizer.learning_rate.assign(self._spec.learning_rate)
        for layer in self._model.layers:
            if hasattr(layer, "seed_generator"):
                layer.seed_generator.state.assign(random.integers(0, 2**31, size=2))

    def fit(self, training: Sequences, validation: Sequences) -> list[float]:
        """Validation loss by epoch; the best epoch's weights stay. Raises TrainingError when the loss is no number."""
        callbacks = self._keras.callbacks
        history = self._model.fit(
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
        )
        if not np.isfinite(history.history["loss"]).all():
            raise TrainingError(f"member {self._spec.name}: the loss is not a number; lower its learning_rate.")
        return [float(loss) for loss in history.history["val_loss"]]

    def loss(self, sequences: Sequences) -> float:
        """Mean log loss over the known labels, as validation counts it."""
        return float(
            self._model.evaluate(sequences.inputs, sequences.labels, batch_size=self._spec.batch_size, verbose=0)
        )

    def log_odds(self, sequences: Floats) -> Floats:
        """What Keras itself forecasts at every step: (n, n_steps, n_features) -> (n, n_steps, n_labels)."""
        return np.asarray(self._model(sequences.astype(np.float32), training=False), dtype=np.float64)

    def weights(self) -> dict[str, Floats]:
        """The trained weights under the names of `Lstm`."""
        flat = {}
        for variable in self._model.trainable_variables:
            name = _flat_name(variable.path)
            values = np.asarray(variable, dtype=np.float64)
            flat[name] = _without_head_axis(values, name) if name.startswith("attention") else values
        return flat


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
    """Noise and dropout -> LSTM layers -> attention over the last steps -> one logit a label, plus a linear skip."""
    import keras

    layers = keras.layers
    steps = spec.warmup_steps + spec.sequence_steps
    inputs = keras.Input((steps, n_features))
    hidden = layers.SpatialDropout1D(spec.input_dropout)(layers.GaussianNoise(spec.input_noise)(inputs))
    for number, units in enumerate(spec.units):
        hidden = layers.LSTM(units, return_sequences=True, name=f"lstm_{number}")(hidden)
        hidden = layers.SpatialDropout1D(spec.dropout)(
            hidden
        )  # one mask for all steps: variational (Gal and Ghahramani 2016)
    attention = layers.MultiHeadAttention(num_heads=1, key_dim=spec.units[-1], name="attention")
    attended = attention(hidden, hidden, attention_mask=_look_back(steps, spec.sequence_steps))
    deep = layers.Dense(n_labels, name="head")(layers.Concatenate()([hidden, attended]))
    skip = layers.Dense(n_labels, use_bias=False, name="skip")(layers.Rescaling(SKIP_GAIN)(inputs))
    return keras.Model(inputs, layers.Add()([deep, skip]))


def _look_back(steps: int, sequence_steps: int) -> Any:
    """True where step i may attend to step j: itself and the `sequence_steps` - 1 before, shape (1, steps, steps)."""
    distance = np.arange(steps)[:, None] - np.arange(steps)[None, :]
    return ((distance >= 0) & (distance < sequence_steps))[None]


def _known_log_loss(tf: Any) -> Any:
    """Mean log loss over the known labels."""

    def log_loss(labels: Any, logits: Any) -> Any:
        known = tf.cast(labels >= 0, logits.dtype)
        losses = tf.nn.sigmoid_cross_entropy_with_logits(labels=tf.maximum(labels, 0.0), logits=logits)
        return tf.reduce_sum(losses * known) / tf.maximum(tf.reduce_sum(known), 1.0)

    return log_loss


def _initial(path: str, shape: tuple[int, ...], random: np.random.Generator, prior: Floats) -> Floats:
    """Keras' defaults: Glorot uniform kernels, orthogonal recurrence, forget gate open; and the class prior."""
    name = _flat_name(path)
    if name == "head_bias":
        return prior
    if name.endswith("_recurrent"):
        return _orthogonal(shape, random)
    if name.startswith("lstm") and name.endswith("_bias"):
        return np.repeat([0.0, 1.0, 0.0, 0.0], shape[0] // 4)
    if name.endswith("_bias") or name == "skip_kernel":
        return np.zeros(shape)
    inside, outside = (shape[0], shape[-1]) if name != "attention_output_kernel" else (shape[1], shape[2])
    limit = np.sqrt(6 / (inside + outside))
    return random.uniform(-limit, limit, size=shape)


def _orthogonal(shape: tuple[int, ...], random: np.random.Generator) -> Floats:
    """Saxe et al. (2014): rows of a random orthogonal matrix."""
    wide, triangle = np.linalg.qr(random.normal(size=(shape[1], shape[0])))
    return np.asarray((wide * np.sign(np.diag(triangle))).T)


def _flat_name(path: str) -> str:
    """The name in `Lstm`: lstm_0/lstm_cell/recurrent_kernel -> lstm_0_recurrent, attention/query/kernel -> ..."""
    parts = [part for part in path.split("/") if part != "lstm_cell"]
    return (
        "_".join(parts[-3:] if "attention" in parts else parts[-2:])
        .replace("recurrent_kernel", "recurrent")
        .replace("attention_output", "output")
        .replace("attention_attention", "attention")
    )


def _without_head_axis(values: Floats, name: str) -> Floats:
    """Keras keeps an axis for the one attention head; the forward pass has none."""
    if name == "attention_output_bias":
        return values
    return values[0] if name.endswith("_bias") or name == "attention_output_kernel" else values[:, 0]
