"""One LSTM layer over whole sequences, forwards and back through time, in NumPy; sequences lie time first.

Hochreiter and Schmidhuber (1997) with a forget gate (Gers, Schmidhuber and Cummins 2000). What does not depend on the
step before is one matrix product for all steps: the inputs' projection, and both weight gradients. Only two small
products a step remain. All gates are opened by one tanh, since sigmoid(x) = (1 + tanh(x / 2)) / 2.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ensemble.arrays import Reals

FORWARD_BLOCK, BACKWARD_BLOCK = 64, 32
"""Columns of the products that each step needs. OpenBLAS multiplies blocks this small without copying them first, which
for a few dozen rows costs a third of the product."""


@dataclass(frozen=True, slots=True)
class LayerWeights:
    """`kernel` (n_in, 4 units), `recurrent` (units, 4 units), `bias` (4 units,).

    Keras' shapes and order of gates: input, forget, cell, output.
    """

    kernel: Reals
    recurrent: Reals
    bias: Reals


@dataclass(frozen=True, slots=True)
class LayerTrace:
    """What a forward pass leaves for the way back. `cells` and `states` have a row of zeros before the first step."""

    inputs: Reals
    """(n_steps, n, n_in)."""
    gates: Reals
    """(n_steps, n, 4 units), opened, in our own order: input, forget, output, cell."""
    cells: Reals
    """(n_steps + 1, n, units)."""
    squashed: Reals
    """tanh of the cells, (n_steps, n, units)."""
    states: Reals
    """(n_steps + 1, n, units)."""

    @property
    def outputs(self) -> Reals:
        """The hidden state after each step, (n_steps, n, units)."""
        return self.states[1:]


def run_layer(inputs: Reals, weights: LayerWeights) -> LayerTrace:
    """The layer's pass over `inputs` (n_steps, n, n_in), its state beginning at 0."""
    steps, count, _ = inputs.shape
    units = len(weights.recurrent)
    sigmoids, forget, output, added_cell = (slice(k * units, n * units) for k, n in ((0, 3), (1, 2), (2, 3), (3, 4)))
    kernel, recurrent, bias = (_ready(one, inputs.dtype) for one in (weights.kernel, weights.recurrent, weights.bias))
    gates = (inputs.reshape(steps * count, -1) @ kernel).reshape(steps, count, 4 * units)
    cells, states = np.empty((2, steps + 1, count, units), inputs.dtype)
    cells[0], states[0] = 0, 0
    squashed = np.empty((steps, count, units), inputs.dtype)
    added, recalled = np.empty((count, units), inputs.dtype), np.empty((count, 4 * units), inputs.dtype)
    blocks = np.ascontiguousarray(_blocks(recurrent, FORWARD_BLOCK))
    into = _blocks(recalled, FORWARD_BLOCK)
    for step in range(steps):
        gate = gates[step]
        gate += bias
        np.matmul(states[step], blocks, out=into)
        gate += recalled
        np.tanh(gate, out=gate)
        opened = gate[:, sigmoids]
        opened *= 0.5
        opened += 0.5
        cell = np.multiply(gate[:, forget], cells[step], out=cells[step + 1])
        cell += np.multiply(gate[:, :units], gate[:, added_cell], out=added)
        np.multiply(gate[:, output], np.tanh(cell, out=squashed[step]), out=states[step + 1])
    return LayerTrace(inputs, gates, cells, squashed, states)


def back_through_layer(
    trace: LayerTrace, weights: LayerWeights, output_slopes: Reals, *, need_inputs: bool
) -> tuple[LayerWeights, Reals | None]:
    """Slopes of the loss by the weights and, if needed, by the inputs, from those by the outputs.

    Werbos (1990), backpropagation through time.
    """
    steps, count, width = trace.gates.shape
    flat = _gate_slopes(trace, weights.recurrent, output_slopes).reshape(steps * count, width)
    found = LayerWeights(
        _in_keras_order(trace.inputs.reshape(steps * count, -1).T @ flat),
        _in_keras_order(trace.states[:-1].reshape(steps * count, -1).T @ flat),
        _in_keras_order(flat.sum(axis=0)),
    )
    back = _in_own_order(weights.kernel).T
    return found, (flat @ back).reshape(trace.inputs.shape) if need_inputs else None


def _gate_slopes(trace: LayerTrace, recurrent: Reals, output_slopes: Reals) -> Reals:
    """Slopes by the gates before they open, (n_steps, n, 4 units), worked out from the newest step back."""
    steps, count, width = trace.gates.shape
    units = width // 4
    found = np.empty_like(trace.gates)
    by_cell, by_state, by_next_cell = np.zeros((3, count, units), trace.gates.dtype)
    backwards = np.ascontiguousarray(_blocks(_in_own_order(recurrent).T, BACKWARD_BLOCK))
    into = _blocks(by_state, BACKWARD_BLOCK)
    for step in range(steps - 1, -1, -1):
        gate, squashed = trace.gates[step], trace.squashed[step]
        opened, forget, output, added_cell = (gate[:, k * units : (k + 1) * units] for k in range(4))
        if step == steps - 1:
            by_state[:] = output_slopes[step]
        else:
            np.matmul(found[step + 1], backwards, out=into)
            by_state += output_slopes[step]
        np.multiply(squashed, squashed, out=by_cell)
        np.subtract(1, by_cell, out=by_cell)
        by_cell *= output
        by_cell *= by_state
        by_cell += by_next_cell
        np.multiply(by_cell, forget, out=by_next_cell)
        _local_slopes(gate, out=found[step])
        pairs = ((by_cell, added_cell), (by_cell, trace.cells[step]), (by_state, squashed), (by_cell, opened))
        for number, (upstream, factor) in enumerate(pairs):
            slopes = found[step, :, number * units : (number + 1) * units]
            np.multiply(slopes, upstream, out=slopes)
            np.multiply(slopes, factor, out=slopes)
    return found


def _local_slopes(gate: Reals, *, out: Reals) -> None:
    """How each opened gate answers its argument: s (1 - s) for the sigmoids, 1 - t^2 for the tanh."""
    units = gate.shape[1] // 4
    sigmoids, tanh = slice(0, 3 * units), slice(3 * units, 4 * units)
    np.multiply(gate, gate, out=out)
    np.subtract(gate[:, sigmoids], out[:, sigmoids], out=out[:, sigmoids])
    np.subtract(1, out[:, tanh], out=out[:, tanh])


def _ready(weights: Reals, dtype: np.dtype[np.floating[Any]]) -> Reals:
    """The weights in our own order; those of the sigmoids halved, so that one tanh opens all gates."""
    ready = _in_own_order(weights).astype(dtype)
    ready[..., : 3 * ready.shape[-1] // 4] *= 0.5
    return ready


def _blocks(values: Reals, width: int) -> Reals:
    """The columns of `values` (m, n) in groups, a view (n / width, m, width); one group where they do not fit."""
    rows, columns = values.shape
    width = width if columns % width == 0 else columns
    return values.reshape(rows, columns // width, width).swapaxes(0, 1)


def _in_own_order(weights: Reals) -> Reals:
    """From Keras' order to input, forget, output, cell: the three sigmoids lie side by side."""
    opened, forget, cell, output = np.split(weights, 4, axis=-1)
    return np.concatenate([opened, forget, output, cell], axis=-1)


def _in_keras_order(weights: Reals) -> Reals:
    opened, forget, output, cell = np.split(weights, 4, axis=-1)
    return np.concatenate([opened, forget, cell, output], axis=-1)
