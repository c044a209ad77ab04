"""The forward pass of a trained LSTM in NumPy: the daily forecast never loads TensorFlow."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ensemble.arrays import Floats
from ensemble.members.fitted import Files, pack_arrays, pack_settings, scaler_arrays, scaler_of, unpack_arrays
from ensemble.members.scaling import Scaler
from ensemble.panel import Panel

SKIP_GAIN = 5.0
"""The linear skip sees its inputs times this, which under Adam is a five times larger step (measured: it helps)."""


@dataclass(frozen=True, slots=True)
class Lstm:
    """Stacked LSTM layers, attention over the last `sequence_steps`, one output a label, a linear skip."""

    scaler: Scaler
    weights: Mapping[str, Floats]
    """By Keras' names and shapes: `lstm_{k}_kernel` (n_in, 4 units), `_recurrent`, `_bias`, `attention_*`, `head_*`."""
    sequence_steps: int
    warmup_steps: int

    def log_odds(self, panel: Panel, rows: slice) -> Floats:
        """Shape (n_symbols, n_rows, n_labels). Each row is forecast from the steps that end with it."""
        steps = self.sequence_steps + self.warmup_steps
        values = self.scaler(panel.values[:, max(rows.start - steps + 1, 0) : rows.stop])
        missing = steps - 1 - min(rows.start, steps - 1)
        padded = np.pad(values, ((0, 0), (missing, 0), (0, 0)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, steps, axis=1)  # (symbols, rows, features, steps)
        sequences = np.moveaxis(windows, -1, -2).reshape(-1, steps, padded.shape[2])
        return self.forward(sequences.astype(np.float64)).reshape(len(padded), rows.stop - rows.start, -1)

    def forward(self, sequences: Floats) -> Floats:
        """Log-odds at the last step of each sequence: (n, n_steps, n_features) -> (n, n_labels)."""
        hidden = sequences
        for layer in range(sum(name.endswith("_recurrent") for name in self.weights)):
            hidden = self._layer(hidden, f"lstm_{layer}")
        joined = np.concatenate([hidden[:, -1], self._attention(hidden[:, -self.sequence_steps :])], axis=1)
        deep = joined @ self.weights["head_kernel"] + self.weights["head_bias"]
        return deep + SKIP_GAIN * sequences[:, -1] @ self.weights["skip_kernel"]

    def files(self) -> Files:
        """weights.npz and member.json."""
        settings = {"kind": "lstm", "sequence_steps": self.sequence_steps, "warmup_steps": self.warmup_steps}
        arrays = {name: weights.astype(np.float32) for name, weights in self.weights.items()}
        return {
            "member.json": pack_settings(settings),
            "weights.npz": pack_arrays(arrays),
            "scaler.npz": pack_arrays(scaler_arrays(self.scaler)),
        }

    def _layer(self, inputs: Floats, name: str) -> Floats:
        """Hochreiter and Schmidhuber (1997) with a forget gate; gates in Keras' order: input, forget, cell, output."""
        recurrent = self.weights[f"{name}_recurrent"]
        units = len(recurrent)
        projected = inputs @ self.weights[f"{name}_kernel"] + self.weights[f"{name}_bias"]
        state, cell = np.zeros((len(inputs), units)), np.zeros((len(inputs), units))
        states = np.empty((*inputs.shape[:2], units))
        for step in range(inputs.shape[1]):
            gates = projected[:, step] + state @ recurrent
            opened = _sigmoid(gates)
            cell = opened[:, units : 2 * units] * cell + opened[:, :units] * np.tanh(gates[:, 2 * units : 3 * units])
            state = opened[:, 3 * units :] * np.tanh(cell)
            states[:, step] = state
        return states

    def _attention(self, hidden: Floats) -> Floats:
        """What the last step attends to: scaled dot product, one head (Vaswani et al. 2017, eq. 1), (n, units)."""
        weights = self.weights
        query = hidden[:, -1] @ weights["attention_query_kernel"] + weights["attention_query_bias"]
        keys = hidden @ weights["attention_key_kernel"] + weights["attention_key_bias"]
        values = hidden @ weights["attention_value_kernel"] + weights["attention_value_bias"]
        scores = np.einsum("nd,ntd->nt", query, keys) / np.sqrt(query.shape[1])
        share = np.exp(scores - scores.max(axis=1, keepdims=True))
        share /= share.sum(axis=1, keepdims=True)
        attended = np.einsum("nt,ntd->nd", share, values)
        return np.asarray(attended @ weights["attention_output_kernel"] + weights["attention_output_bias"])


def load_lstm(files: Files) -> Lstm:
    """The member that `Lstm.files` stored."""
    settings = json.loads(files["member.json"])
    scaler = scaler_of(unpack_arrays(files["scaler.npz"]))
    weights = unpack_arrays(files["weights.npz"])
    return Lstm(scaler, weights, int(settings["sequence_steps"]), int(settings["warmup_steps"]))


def _sigmoid(values: Floats) -> Floats:
    return np.asarray(0.5 * (1 + np.tanh(0.5 * values)))
