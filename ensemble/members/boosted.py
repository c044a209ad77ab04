"""LightGBM on the newest features, one model a label."""

from dataclasses import dataclass

import numpy as np

from ensemble.arrays import Floats
from ensemble.labels import LABELS
from ensemble.members.fitted import Files, pack_arrays, pack_settings, unpack_arrays
from ensemble.members.rows import base_log_odds, labelled_rows
from ensemble.members.specs import TreesSpec
from ensemble.panel import Panel
from ensemble.trees import Table, Trees, grow
from ensemble.windows import Window


@dataclass(frozen=True, slots=True)
class Boosted:
    """One LightGBM text a label and the log-odds (n_labels,) that it starts from; no text where one side never came."""

    texts: tuple[str, ...]
    starts: Floats

    def log_odds(self, panel: Panel, rows: slice) -> Floats:
        """Shape (n_symbols, n_rows, n_labels)."""
        block = panel.values[:, rows].astype(np.float64)
        flat = block.reshape(-1, block.shape[2])
        columns = [
            start + (Trees(text).added(flat) if text else np.zeros(len(flat)))
            for text, start in zip(self.texts, self.starts, strict=True)
        ]
        return np.stack(columns, axis=-1).reshape(*block.shape[:2], len(columns))

    def files(self) -> Files:
        """One text a label, starts.npz and member.json."""
        texts = {f"{label}.txt": text.encode() for label, text in zip(LABELS, self.texts, strict=True)}
        return {
            "member.json": pack_settings({"kind": "lightgbm"}),
            "starts.npz": pack_arrays({"starts": self.starts}),
            **texts,
        }


def load_boosted(files: Files) -> Boosted:
    """The member that `Boosted.files` stored."""
    return Boosted(
        tuple(files[f"{label}.txt"].decode() for label in LABELS),
        unpack_arrays(files["starts.npz"])["starts"],
    )


def fit_boosted(spec: TreesSpec, window: Window, *, seed: int) -> Boosted:
    """Grows each label's model on every symbol's rows together, starting from the label's base rate."""
    parameters = {
        "learning_rate": spec.learning_rate,
        "num_leaves": spec.leaves,
        "min_data_in_leaf": spec.min_leaf_rows,
        "feature_fraction": spec.feature_share,
        "bagging_fraction": 0.7,
        "bagging_freq": 1,
        "lambda_l2": 10.0,
    }
    texts, starts = [], []
    for column in range(len(LABELS)):
        rows, outcomes = labelled_rows(window.values.astype(np.float64), window.labels[:, :, column])
        start = base_log_odds(outcomes)
        table = Table(rows, outcomes, np.full(len(outcomes), start))
        one_sided = len(np.unique(outcomes)) < 2
        texts.append("" if one_sided else grow(table, parameters, rounds=spec.rounds, seed=seed))
        starts.append(start)
    return Boosted(tuple(texts), np.array(starts))
