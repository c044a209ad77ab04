"""The network's way back: slopes of the loss by every weight, written out by hand and checked in the tests.

Werbos (1990), backpropagation through time. What does not depend on the step after is one matrix product for all
steps: both weight gradients of a layer and the slopes by its inputs.
"""

from collections.abc import Sequence

import numpy as np

from ensemble.arrays import Reals
from ensemble.members.attention import back_through_attention, times
from ensemble.members.kernels import gate_slopes
from ensemble.members.network import Pass, Weights, layer_weights
from ensemble.members.recurrence import LayerTrace, LayerWeights, column_blocks, in_keras_order, in_own_order

BLOCK = 32
"""As `recurrence.BLOCK`, for the product on the way back."""


def slopes_by_weights(weights: Weights, done: Pass, by_log_odds: Reals, *, masks: Sequence[Reals]) -> dict[str, Reals]:
    """Slopes of the loss by every weight, from those by the log-odds (n_asking, n, n_labels)."""
    flat = by_log_odds.reshape(-1, by_log_odds.shape[2])
    found: dict[str, Reals] = {
        "head_kernel": done.joined.reshape(len(flat), -1).T @ flat,
        "head_bias": flat.sum(axis=0),
    }
    by_joined = times(by_log_odds, weights["head_kernel"].T)
    units = by_joined.shape[2] // 2
    by_attention, by_hidden = back_through_attention(done.attention, weights, by_joined[..., units:])
    found |= by_attention
    by_outputs: Reals = by_hidden
    by_outputs[-len(by_joined) :] += by_joined[..., :units]
    for number in range(len(done.layers) - 1, -1, -1):
        by_layer, by_inputs = back_through_layer(
            done.layers[number], layer_weights(weights, number), by_outputs * masks[number], need_inputs=number > 0
        )
        found |= {f"lstm_{number}_{name}": getattr(by_layer, name) for name in ("kernel", "recurrent", "bias")}
        if by_inputs is not None:
            by_outputs = by_inputs
    return found


def back_through_layer(
    trace: LayerTrace, weights: LayerWeights, output_slopes: Reals, *, need_inputs: bool
) -> tuple[LayerWeights, Reals | None]:
    """Slopes of the loss by the weights and, if needed, by the inputs, from those by the outputs.

    Uses the trace up: its gates become the slopes by them before they opened.
    """
    steps, count, width = trace.gates.shape
    by_bias = _into_gate_slopes(trace, weights.recurrent, output_slopes)
    flat = trace.gates.reshape(steps * count, width)
    found = LayerWeights(
        in_keras_order(trace.inputs.reshape(steps * count, -1).T @ flat),
        in_keras_order(trace.states[:-1].reshape(steps * count, -1).T @ flat),
        in_keras_order(by_bias),
    )
    back = in_own_order(weights.kernel).T
    return found, (flat @ back).reshape(trace.inputs.shape) if need_inputs else None


def _into_gate_slopes(trace: LayerTrace, recurrent: Reals, output_slopes: Reals) -> Reals:
    """Slopes by the bias, (4 units,), from the newest step back; in place, which saves a twentieth of the time."""
    steps, count, width = trace.gates.shape
    units = width // 4
    by_bias = np.zeros(width, trace.gates.dtype)
    by_cell, by_state = np.zeros((2, count, units), trace.gates.dtype)
    backwards = np.ascontiguousarray(column_blocks(in_own_order(recurrent).T, BLOCK))
    into = column_blocks(by_state, BLOCK)
    for step in range(steps - 1, -1, -1):
        if step < steps - 1:
            np.matmul(trace.gates[step + 1], backwards, out=into)
        squashed, before = trace.squashed[step], trace.cells[step]
        gate_slopes(trace.gates[step], squashed, before, output_slopes[step], by_state, by_cell, by_bias)
    return by_bias
