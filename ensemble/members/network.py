"""The network: LSTM layers, attention over the newest states, one output a label beside a linear skip; in NumPy.

One forward pass serves training and forecasting alike; training opens its gates by compiled code.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ensemble.arrays import Floats, Reals
from ensemble.members.attention import AttentionTrace, attend, times
from ensemble.members.recurrence import GateOpener, LayerTrace, LayerWeights, open_gates, run_layer

Weights = Mapping[str, Reals]
"""By Keras' names and shapes: `lstm_{k}_kernel` (n_in, 4 units), `_recurrent`, `_bias`; `attention_query_kernel`
(units, units), `_bias`, key, value, output; `head_kernel` (2 units, n_labels), `head_bias`."""


@dataclass(frozen=True, slots=True)
class Pass:
    """A forward pass: `log_odds` (n_asking, n, n_labels) without the skip, and the traces that lead back."""

    log_odds: Reals
    layers: tuple[LayerTrace, ...]
    attention: AttentionTrace
    joined: Reals


def n_layers(weights: Weights) -> int:
    """How many LSTM layers there are."""
    return sum(name.endswith("_recurrent") for name in weights)


def run_network(  # noqa: PLR0913 - what is looked at, and how it is trained
    weights: Weights,
    inputs: Reals,
    *,
    look_back: int,
    asking: int,
    masks: Sequence[Reals] = (),
    opener: GateOpener = open_gates,
) -> Pass:
    """The pass over `inputs` (n_steps, n, n_features), for the last `asking` steps; attention sees `look_back` steps.

    A mask a layer, (n, units), drops hidden units for a whole sequence (Gal and Ghahramani 2016); none to forecast.
    """
    hidden, layers = inputs, []
    for number in range(n_layers(weights)):
        layers.append(run_layer(hidden, layer_weights(weights, number), opener))
        hidden = layers[-1].outputs * masks[number] if masks else layers[-1].outputs
    gathered, attention = attend(hidden, weights, look_back=look_back, asking=asking)
    joined = np.concatenate([hidden[-asking:], gathered], axis=2)
    return Pass(times(joined, weights["head_kernel"]) + weights["head_bias"], tuple(layers), attention, joined)


def first_weights(
    units: Sequence[int], n_features: int, n_labels: int, random: np.random.Generator
) -> dict[str, Reals]:
    """Keras' defaults: Glorot uniform kernels, orthogonal recurrence, open forget gates; a head that is silent yet."""
    weights: dict[str, Reals] = {}
    inside = n_features
    for number, size in enumerate(units):
        weights |= {
            f"lstm_{number}_kernel": _glorot(inside, 4 * size, random),
            f"lstm_{number}_recurrent": _orthogonal(size, 4 * size, random),
            f"lstm_{number}_bias": np.repeat([0.0, 1.0, 0.0, 0.0], size),
        }
        inside = size
    for name in ("query", "key", "value", "output"):
        weights[f"attention_{name}_kernel"] = _glorot(inside, inside, random)
        weights[f"attention_{name}_bias"] = np.zeros(inside)
    return weights | {"head_kernel": np.zeros((2 * inside, n_labels)), "head_bias": np.zeros(n_labels)}


def layer_weights(weights: Weights, number: int) -> LayerWeights:
    """Those of one LSTM layer, counted from 0."""
    return LayerWeights(*(weights[f"lstm_{number}_{name}"] for name in ("kernel", "recurrent", "bias")))


def _glorot(inside: int, outside: int, random: np.random.Generator) -> Floats:
    """Glorot and Bengio (2010), eq. 16."""
    limit = np.sqrt(6 / (inside + outside))
    return random.uniform(-limit, limit, size=(inside, outside))


def _orthogonal(inside: int, outside: int, random: np.random.Generator) -> Floats:
    """Rows of a random orthogonal matrix, Saxe et al. (2014)."""
    wide, triangle = np.linalg.qr(random.normal(size=(outside, inside)))
    return np.asarray((wide * np.sign(np.diag(triangle))).T)
