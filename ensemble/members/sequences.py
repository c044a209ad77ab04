"""A window cut into overlapping sequences, so that one pass of the network learns at every step."""

from dataclasses import dataclass

import numpy as np

from ensemble.arrays import Integers, Singles
from ensemble.members.scaling import Scaler
from ensemble.members.specs import LstmSpec
from ensemble.windows import Window

UNKNOWN = -1.0
"""Stands for an unknown label: the loss skips it."""


@dataclass(frozen=True, slots=True)
class Sequences:
    """Inputs (n, n_steps, n_features) and labels (n, n_steps, n_labels), UNKNOWN where no loss is taken."""

    inputs: Singles
    labels: Singles


def cut_sequences(spec: LstmSpec, window: Window, scaler: Scaler) -> tuple[Sequences, Sequences]:
    """Sequences to train on and, from the newest `validation_pct` of the rows, to stop by.

    Consecutive sequences overlap by the warm-up, in which no loss is taken, so every later row is learned from once.
    """
    inputs = scaler(window.values)
    rows = inputs.shape[1]
    split = rows - round(rows * spec.validation_pct / 100)
    row = np.arange(rows)[None, :, None]
    labels = np.where(np.isfinite(window.labels), window.labels, UNKNOWN).astype(np.float32)
    early = np.where(row < split - window.embargo_rows, labels, UNKNOWN)
    late = np.where(row >= split, labels, UNKNOWN)
    starts = _starts(rows, spec)
    return _cut(inputs, early, starts, spec), _cut(inputs, late, starts, spec)


def _starts(rows: int, spec: LstmSpec) -> Integers:
    """First rows of the sequences, counted back from the newest row so that it is always learned from."""
    steps = spec.warmup_steps + spec.sequence_steps
    return np.arange(rows - steps, -1, -spec.sequence_steps, dtype=np.int64)[::-1]


def _cut(inputs: Singles, labels: Singles, starts: Integers, spec: LstmSpec) -> Sequences:
    steps = spec.warmup_steps + spec.sequence_steps
    rows = starts[:, None] + np.arange(steps)
    cut_inputs = inputs[:, rows].reshape(-1, steps, inputs.shape[2])
    cut_labels = labels[:, rows].reshape(-1, steps, labels.shape[2]).copy()
    cut_labels[:, : spec.warmup_steps] = UNKNOWN
    used = (cut_labels != UNKNOWN).any(axis=(1, 2))
    return Sequences(np.ascontiguousarray(cut_inputs[used]), np.ascontiguousarray(cut_labels[used]))
