"""One LSTM layer over whole sequences, forwards and back through time, in NumPy; sequences lie time first.

Hochreiter and Schmidhuber (1997) with a forget gate (Gers, Schmidhuber and Cummins 2000); gates in Keras' order: input,
forget, cell, output. What does not depend on the step before is one matrix product for all steps: the inputs'
projection, and both weight gradients. Only two small products a step remain. All gates are opened by one tanh, since
sigmoid(x) = (1 + tanh(x / 2)) / 2.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ensemble.arrays import Reals


@dataclass(frozen=True, slots=True)
class LayerWeights:
    """`kernel` (n_in, 4 units), `recurrent` (units, 4 units), `bias` (4 units,): Keras' shapes."""

    kernel: Reals
    recurrent: Reals
    bias: Reals


@dataclass(frozen=True, slots=True)
class LayerTrace:
    """What a forward pass leaves for the way back. `cells` and `states` have a row of zeros before the first step."""

    inputs: Reals
    """(n_steps, n, n_in)."""
    gates: Reals
    """(n_steps, n, 4 units), opened."""
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
    scale = _tanh_scale(units, inputs.dtype)
    shift = 1 - scale
    recurrent, bias = weights.recurrent * scale, weights.bias * scale
    gates = (inputs.reshape(steps * count, -1) @ (weights.kernel * scale)).reshape(steps, count, 4 * units)
    cells, states = np.zeros((2, steps + 1, count, units), inputs.dtype)
    squashed = np.empty((steps, count, units), inputs.dtype)
    added, recalled = np.empty((count, units), inputs.dtype), np.empty((count, 4 * units), inputs.dtype)
    for step in range(steps):
        gate = gates[step]
        gate += bias
        gate += np.matmul(states[step], recurrent, out=recalled)
        np.tanh(gate, out=gate)
        gate *= scale
        gate += shift
        cell = np.multiply(gate[:, units : 2 * units], cells[step], out=cells[step + 1])
        cell += np.multiply(gate[:, :units], gate[:, 2 * units : 3 * units], out=added)
        np.multiply(gate[:, 3 * units :], np.tanh(cell, out=squashed[step]), out=states[step + 1])
    return LayerTrace(inputs, gates, cells, squashed, states)


def back_through_layer(
    trace: LayerTrace, weights: LayerWeights, output_slopes: Reals, *, need_inputs: bool
) -> tuple[LayerWeights, Reals | None]:
    """Slopes of the loss by the weights and, if needed, by the inputs, from those by the outputs. Uses the trace up.

    Werbos (1990), backpropagation through time.
    """
    steps, count, width = trace.gates.shape
    slopes = _gate_slopes(trace, weights.recurrent, output_slopes)
    flat = slopes.reshape(steps * count, width)
    found = LayerWeights(
        trace.inputs.reshape(steps * count, -1).T @ flat,
        trace.states[:-1].reshape(steps * count, -1).T @ flat,
        flat.sum(axis=0),
    )
    return found, (flat @ weights.kernel.T).reshape(trace.inputs.shape) if need_inputs else None


def _gate_slopes(trace: LayerTrace, recurrent: Reals, output_slopes: Reals) -> Reals:
    """Slopes by the gates before they open, newest step first; they take the place of the gates in the trace."""
    steps, count, width = trace.gates.shape
    units = width // 4
    backwards = np.ascontiguousarray(recurrent.T)
    local, by_cell, by_next_cell, by_state = (
        np.empty((count, size), trace.gates.dtype) for size in (width, units, units, units)
    )
    by_next_cell[:] = 0
    for step in range(steps - 1, -1, -1):
        gate, squashed = trace.gates[step], trace.squashed[step]
        opened, forget, cell, output = (gate[:, k * units : (k + 1) * units] for k in range(4))
        if step == steps - 1:
            by_state[:] = output_slopes[step]
        else:
            np.matmul(trace.gates[step + 1], backwards, out=by_state)
            by_state += output_slopes[step]
        np.multiply(squashed, squashed, out=by_cell)
        np.subtract(1, by_cell, out=by_cell)
        by_cell *= output
        by_cell *= by_state
        by_cell += by_next_cell
        np.multiply(by_cell, forget, out=by_next_cell)
        _local_slopes(gate, out=local)
        local[:, : 3 * units].reshape(count, 3, units)[:] *= by_cell[:, None]
        local[:, :units] *= cell
        local[:, units : 2 * units] *= trace.cells[step]
        local[:, 2 * units : 3 * units] *= opened
        local[:, 3 * units :] *= squashed
        local[:, 3 * units :] *= by_state
        gate[:] = local
    return trace.gates


def _local_slopes(gate: Reals, *, out: Reals) -> None:
    """How each opened gate answers its argument: s (1 - s) for the sigmoids, 1 - t^2 for the tanh."""
    units = gate.shape[1] // 4
    np.multiply(gate, gate, out=out)
    np.subtract(1, out[:, 2 * units : 3 * units], out=out[:, 2 * units : 3 * units])
    for sigmoids in (slice(0, 2 * units), slice(3 * units, 4 * units)):
        np.subtract(gate[:, sigmoids], out[:, sigmoids], out=out[:, sigmoids])


def _tanh_scale(units: int, dtype: np.dtype[np.floating[Any]]) -> Reals:
    """1/2 for the sigmoid gates, 1 for the tanh of the cell, (4 units,)."""
    return np.repeat(np.array([0.5, 0.5, 1, 0.5], dtype), units)
