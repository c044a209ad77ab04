"""The forward pass of a trained LSTM in NumPy: the daily forecast never loads TensorFlow."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ensemble.arrays import Floats, Reals
from ensemble.members.curve import Curve, pack_curve, unpack_curve
from ensemble.members.fitted import Files, pack_arrays, pack_settings, scaler_arrays, scaler_of, unpack_arrays
from ensemble.members.network import run_network
from ensemble.members.scaling import Scaler
from ensemble.panel import Panel

AT_ONCE = 64
"""Sequences run through the network together: a month of many symbols must not take hundreds of megabytes."""


@dataclass(frozen=True, slots=True)
class Lstm:
    """Stacked LSTM layers, attention over the last `sequence_steps`, one output a label, a linear skip."""

    scaler: Scaler
    weights: Mapping[str, Reals]
    """Those of `network.Weights`, and the linear skip's `skip_kernel` (n_features, n_labels) and `skip_bias`."""
    sequence_steps: int
    warmup_steps: int
    curve: Curve = ()
    """How its training went."""

    def log_odds(self, panel: Panel, rows: slice) -> Floats:
        """Shape (n_symbols, n_rows, n_labels). Each row is forecast from the steps that end with it."""
        steps = self.sequence_steps + self.warmup_steps
        values = self.scaler(panel.values[:, max(rows.start - steps + 1, 0) : rows.stop])
        missing = steps - 1 - min(rows.start, steps - 1)
        padded = np.pad(values, ((0, 0), (missing, 0), (0, 0)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, steps, axis=1)  # (symbols, rows, features, steps)
        sequences = np.moveaxis(windows, -1, -2).reshape(-1, steps, padded.shape[2])
        parts = [sequences[start : start + AT_ONCE] for start in range(0, len(sequences), AT_ONCE)]
        said = np.concatenate([self.forward(part.astype(np.float64)) for part in parts])
        return said.reshape(len(padded), rows.stop - rows.start, -1)

    def forward(self, sequences: Floats) -> Floats:
        """Log-odds at the last step of each sequence: (n, n_steps, n_features) -> (n, n_labels)."""
        time_first = np.ascontiguousarray(sequences.swapaxes(0, 1))
        deep = run_network(self.weights, time_first, look_back=self.sequence_steps, asking=1).log_odds[0]
        return np.asarray(deep + time_first[-1] @ self.weights["skip_kernel"] + self.weights["skip_bias"])

    def files(self) -> Files:
        """weights.npz, scaler.npz, member.json and history.csv."""
        settings = {"kind": "lstm", "sequence_steps": self.sequence_steps, "warmup_steps": self.warmup_steps}
        arrays = {name: weights.astype(np.float32) for name, weights in self.weights.items()}
        return {
            "history.csv": pack_curve(self.curve),
            "member.json": pack_settings(settings),
            "weights.npz": pack_arrays(arrays),
            "scaler.npz": pack_arrays(scaler_arrays(self.scaler)),
        }


def load_lstm(files: Files) -> Lstm:
    """The member that `Lstm.files` stored."""
    settings = json.loads(files["member.json"])
    scaler = scaler_of(unpack_arrays(files["scaler.npz"]))
    weights = unpack_arrays(files["weights.npz"])
    curve = unpack_curve(files["history.csv"])
    return Lstm(scaler, weights, int(settings["sequence_steps"]), int(settings["warmup_steps"]), curve)
