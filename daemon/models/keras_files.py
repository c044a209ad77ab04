"""LSTM members as models of Keras, for people: `keras.models.load_model` opens them. Nothing here reads them back.

The network is the one of `ensemble.members.network`, with the scaling before it: what goes in are features as the panel
has them, what comes out are log-odds. It runs in a child process alone: what TensorFlow takes ends with it.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ensemble.arrays import Reals
from ensemble.members.fitted import Files
from ensemble.members.lstm import Lstm, load_lstm
from ensemble.members.network import n_layers
from ensemble.members.scaling import CLIP, Scaler

FILE = "model.keras"
_ATTENTION = [f"attention_{part}_{kind}" for part in ("query", "key", "value", "output") for kind in ("kernel", "bias")]


def write_keras(members: Sequence[tuple[Files, str]]) -> None:
    """Writes the network of each member's files to the path beside them, a name that ends in ".keras"."""
    import keras

    import ensemble.members.published  # noqa: F401 - says what TensorFlow is to read when it is loaded, next

    keras.config.set_dtype_policy("float64")  # the forecasts' own precision
    for files, path in members:
        _network(load_lstm(files)).save(Path(path))


def _network(member: Lstm) -> Any:
    """Features (n, warmup and sequence steps, n_features) -> log-odds of each label at the last step (n, n_labels)."""
    import keras

    layers, weights = keras.layers, member.weights
    inputs = keras.Input((member.sequence_steps + member.warmup_steps, len(member.scaler.mean)), name="features")
    scaled = hidden = _scaled(inputs, member.scaler)
    for number in range(n_layers(weights)):
        units = weights[f"lstm_{number}_recurrent"].shape[0]
        layer = layers.LSTM(units, return_sequences=True, name=f"lstm_{number}")
        hidden = layer(hidden)
        _teach(layer, weights, [f"lstm_{number}_{part}" for part in ("kernel", "recurrent", "bias")])
    last, attention = hidden[:, -1:], layers.MultiHeadAttention(1, hidden.shape[2], name="attention")
    gathered = attention(last, hidden[:, -member.sequence_steps :])
    _teach(attention, weights, _ATTENTION)
    head, skip = (layers.Dense(weights[f"{name}_kernel"].shape[1], name=name) for name in ("head", "skip"))
    deep, straight = head(layers.Flatten()(layers.Concatenate()([last, gathered]))), skip(scaled[:, -1])
    for layer in (head, skip):
        _teach(layer, weights, [f"{layer.name}_kernel", f"{layer.name}_bias"])
    return keras.Model(inputs, layers.Add(name="log_odds")([deep, straight]))


def _scaled(inputs: Any, scaler: Scaler) -> Any:
    """As `Scaler` does it: clipped, and 0 where unknown."""
    import keras

    scale = 1 / scaler.deviation
    scaled = keras.layers.Rescaling(scale.tolist(), (-scaler.mean * scale).tolist(), name="scaling")(inputs)
    clipped = keras.ops.clip(scaled, -CLIP, CLIP)
    return keras.ops.where(keras.ops.isfinite(clipped), clipped, 0.0)


def _teach(layer: Any, weights: Mapping[str, Reals], names: Sequence[str]) -> None:
    layer.set_weights([np.reshape(weights[name], one.shape) for name, one in zip(names, layer.weights, strict=True)])
