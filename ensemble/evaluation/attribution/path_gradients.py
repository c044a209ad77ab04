"""Integrated gradients: what each input of a network had to do with what it says. Sundararajan, Taly and Yan (2017).

From an input where every feature has its training mean in every session, straight to the one that was seen: each
input's way times the slope along it. The shares of all inputs add up to the difference in log-odds between the ends, as
far as the slopes are summed exactly; Gauss-Legendre nodes need few of them, for the way is smooth.
"""

import numpy as np

from ensemble.arrays import Floats
from ensemble.members.attention import back_through_attention, times
from ensemble.members.lstm import Lstm
from ensemble.members.network import layer_weights, n_layers, run_network

NODES = 16
"""Points on the way whose slopes are taken."""


def integrated_gradients(member: Lstm, sequence: Floats, label: int) -> Floats:
    """Log-odds that each input of `sequence` (n_steps, n_features) adds to those of a sequence of zeros; same shape."""
    places, shares = np.polynomial.legendre.leggauss(NODES)
    slopes = input_slopes(member, (places[:, None, None] + 1) / 2 * sequence, label)
    mean: Floats = np.tensordot(shares / 2, slopes, axes=1)
    return mean * sequence


def input_slopes(member: Lstm, sequences: Floats, label: int) -> Floats:
    """Slopes of the last step's log-odds by each input: of `sequences` (n, n_steps, n_features), same shape."""
    from ensemble.members.backpropagation import back_through_layer  # loads a compiler, which a forecast never does

    weights, time_first = member.weights, np.ascontiguousarray(sequences.swapaxes(0, 1))
    done = run_network(weights, time_first, look_back=member.sequence_steps, asking=1)
    by_log_odds = np.zeros_like(done.log_odds)
    by_log_odds[..., label] = 1
    by_joined = times(by_log_odds, weights["head_kernel"].T)
    units = by_joined.shape[2] // 2
    _, slopes = back_through_attention(done.attention, weights, by_joined[..., units:])
    slopes[-1:] += by_joined[..., :units]
    for number in reversed(range(n_layers(weights))):
        _, by_inputs = back_through_layer(done.layers[number], layer_weights(weights, number), slopes, need_inputs=True)
        assert by_inputs is not None  # they were asked for
        slopes = by_inputs
    slopes[-1] += weights["skip_kernel"][:, label]
    return np.asarray(slopes.swapaxes(0, 1), dtype=np.float64)
