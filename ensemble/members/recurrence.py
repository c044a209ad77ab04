"""One LSTM layer over whole sequences, in NumPy; sequences lie time first.

Hochreiter and Schmidhuber (1997) with a forget gate (Gers, Schmidhuber and Cummins 2000). What does not depend on the
step before is one matrix product for all steps; only one small product a step remains. All gates are opened by one
tanh, since sigmoid(x) = (1 + tanh(x / 2)) / 2.
"""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from ensemble.arrays import Reals

BLOCK = 64
"""Columns of the product that each step needs. OpenBLAS multiplies blocks this small without copying them first, which
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


class GateOpener(Protocol):
    """What `open_gates` does, in NumPy or compiled."""

    def __call__(  # noqa: PLR0913 - Numba takes arrays fast and records slowly
        self, gates: Reals, recalled: Reals, bias: Reals, before: Reals, cell: Reals, squashed: Reals, state: Reals
    ) -> None: ...


def open_gates(  # noqa: PLR0913 - as above
    gates: Reals, recalled: Reals, bias: Reals, before: Reals, cell: Reals, squashed: Reals, state: Reals
) -> None:
    """One step of a layer for n sequences: opens `gates` (n, 4 units), fills `cell`, `squashed`, `state` (n, units).

    `gates` comes with the inputs' projection, to which `recalled` (n, 4 units) and `bias` (4 units,) are added;
    `before` (n, units) are the cells of the step before.
    """
    units = before.shape[1]
    gates += recalled
    gates += bias
    np.tanh(gates, out=gates)
    sigmoids = gates[:, : 3 * units]
    sigmoids *= 0.5
    sigmoids += 0.5
    opened, forget, output, added = (gates[:, k * units : (k + 1) * units] for k in range(4))
    np.multiply(forget, before, out=cell)
    cell += opened * added
    np.multiply(output, np.tanh(cell, out=squashed), out=state)


def run_layer(inputs: Reals, weights: LayerWeights, opener: GateOpener = open_gates) -> LayerTrace:
    """The layer's pass over `inputs` (n_steps, n, n_in), its state beginning at 0."""
    steps, count, _ = inputs.shape
    units = len(weights.recurrent)
    kernel, recurrent, bias = (_ready(one, inputs.dtype) for one in (weights.kernel, weights.recurrent, weights.bias))
    gates = (inputs.reshape(steps * count, -1) @ kernel).reshape(steps, count, 4 * units)
    cells, states = np.empty((2, steps + 1, count, units), inputs.dtype)
    cells[0], states[0] = 0, 0
    squashed = np.empty((steps, count, units), inputs.dtype)
    recalled = np.empty((count, 4 * units), inputs.dtype)
    blocks = np.ascontiguousarray(column_blocks(recurrent, BLOCK))
    into = column_blocks(recalled, BLOCK)
    for step in range(steps):
        np.matmul(states[step], blocks, out=into)
        opener(gates[step], recalled, bias, cells[step], cells[step + 1], squashed[step], states[step + 1])
    return LayerTrace(inputs, gates, cells, squashed, states)


def column_blocks(values: Reals, width: int) -> Reals:
    """The columns of `values` (m, n) in groups, a view (n / width, m, width); one group where they do not fit."""
    rows, columns = values.shape
    width = width if columns % width == 0 else columns
    return values.reshape(rows, columns // width, width).swapaxes(0, 1)


def in_own_order(weights: Reals) -> Reals:
    """From Keras' order to input, forget, output, cell: the three sigmoids lie side by side."""
    opened, forget, cell, output = np.split(weights, 4, axis=-1)
    return np.concatenate([opened, forget, output, cell], axis=-1)


def in_keras_order(weights: Reals) -> Reals:
    """The way back."""
    opened, forget, output, cell = np.split(weights, 4, axis=-1)
    return np.concatenate([opened, forget, cell, output], axis=-1)


def _ready(weights: Reals, dtype: np.dtype[np.floating[Any]]) -> Reals:
    """The weights in our own order; those of the sigmoids halved, so that one tanh opens all gates."""
    ready = in_own_order(weights).astype(dtype)
    ready[..., : 3 * ready.shape[-1] // 4] *= 0.5
    return ready
