"""Causal attention over the newest hidden states, forwards and backwards, in NumPy; sequences lie time first.

Scaled dot product with one head, Vaswani et al. (2017), eq. 1: a step looks back on itself and the steps before it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ensemble.arrays import Mask, Reals

NEVER = -1e9
"""Score of a step that may not be looked at."""


@dataclass(frozen=True, slots=True)
class AttentionTrace:
    """What a forward pass leaves for the way back. Sequence first: (n, n_steps, units), or (n, n_asking, ...)."""

    hidden: Reals
    keys: Reals
    values: Reals
    queries: Reals
    """Over the root of the units, by which scores are scaled."""
    shares: Reals
    """(n, n_asking, n_steps): what each asking step takes of each step."""
    mixed: Reals


def attend(hidden: Reals, weights: Mapping[str, Reals], *, look_back: int, asking: int) -> tuple[Reals, AttentionTrace]:
    """What the last `asking` steps of `hidden` (n_steps, n, units) gather from `look_back` steps: (asking, n, units).

    Weights by Keras' names: `attention_query_kernel` (units, units), `_bias` (units,); and for key, value, output.
    """
    states = np.ascontiguousarray(hidden.swapaxes(0, 1))
    keys, values = (_project(states, weights, name) for name in ("key", "value"))
    queries = _project(states[:, -asking:], weights, "query")
    queries /= np.sqrt(hidden.shape[2], dtype=hidden.dtype)
    scores = queries @ keys.swapaxes(1, 2)
    scores += np.where(_out_of_sight(len(hidden), look_back)[-asking:], NEVER, 0).astype(hidden.dtype)
    scores -= scores.max(axis=2, keepdims=True)
    shares = np.exp(scores, out=scores)
    shares /= shares.sum(axis=2, keepdims=True)
    mixed = shares @ values
    gathered = _project(mixed, weights, "output").swapaxes(0, 1)
    return gathered, AttentionTrace(states, keys, values, queries, shares, mixed)


def back_through_attention(
    trace: AttentionTrace, weights: Mapping[str, Reals], output_slopes: Reals
) -> tuple[dict[str, Reals], Reals]:
    """Slopes of the loss by the weights and by `hidden`, from those by the output (n_asking, n, units)."""
    outgoing = np.ascontiguousarray(output_slopes.swapaxes(0, 1))
    found = _weight_slopes("output", trace.mixed, outgoing)
    by_mixed = times(outgoing, weights["attention_output_kernel"].T)
    by_scores = by_mixed @ trace.values.swapaxes(1, 2)
    by_scores -= (by_mixed * trace.mixed).sum(axis=2, keepdims=True)  # the mean of each row, its shares as weights
    by_scores *= trace.shares
    by_queries = by_scores @ trace.keys
    by_queries /= np.sqrt(trace.hidden.shape[2], dtype=trace.hidden.dtype)
    asking = slice(-output_slopes.shape[0], None)
    incoming = {
        "query": (asking, by_queries),
        "key": (slice(None), by_scores.swapaxes(1, 2) @ trace.queries),
        "value": (slice(None), trace.shares.swapaxes(1, 2) @ by_mixed),
    }
    by_hidden = np.zeros_like(trace.hidden)
    for name, (steps, slopes) in incoming.items():
        found |= _weight_slopes(name, trace.hidden[:, steps], slopes)
        by_hidden[:, steps] += times(slopes, weights[f"attention_{name}_kernel"].T)
    return found, by_hidden.swapaxes(0, 1)


def _project(states: Reals, weights: Mapping[str, Reals], name: str) -> Reals:
    return times(states, weights[f"attention_{name}_kernel"]) + weights[f"attention_{name}_bias"]


def times(states: Reals, kernel: Reals) -> Reals:
    """`states` (..., n_in) @ `kernel` (n_in, n_out) as one product; NumPy would make one of each of the first axis."""
    return (states.reshape(-1, states.shape[-1]) @ kernel).reshape(*states.shape[:-1], kernel.shape[1])


def _weight_slopes(name: str, inputs: Reals, slopes: Reals) -> dict[str, Reals]:
    units = inputs.shape[2]
    flat = slopes.reshape(-1, units)
    return {
        f"attention_{name}_kernel": inputs.reshape(-1, units).T @ flat,
        f"attention_{name}_bias": flat.sum(axis=0),
    }


def _out_of_sight(steps: int, look_back: int) -> Mask:
    """True where step i may not look at step j: (steps, steps)."""
    distance = np.arange(steps)[:, None] - np.arange(steps)[None, :]
    return (distance < 0) | (distance >= look_back)
