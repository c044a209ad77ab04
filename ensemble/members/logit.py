"""Ridge-logit: logistic regression of each label on the newest features. The reference every network has to beat."""

from dataclasses import dataclass

import numpy as np

from ensemble.arrays import Floats
from ensemble.members.fitted import Files, pack_arrays, pack_settings, scaler_arrays, scaler_of, unpack_arrays
from ensemble.members.rows import base_log_odds, labelled_rows
from ensemble.members.scaling import Scaler, fit_scaler
from ensemble.members.specs import LogitSpec
from ensemble.panel import Panel
from ensemble.windows import Window


@dataclass(frozen=True, slots=True)
class Logit:
    """Weights (n_features, n_labels) and intercepts (n_labels,) on standardised features."""

    scaler: Scaler
    weights: Floats
    intercepts: Floats

    def log_odds(self, panel: Panel, rows: slice) -> Floats:
        """Shape (n_symbols, n_rows, n_labels)."""
        return self.scaler(panel.values[:, rows]).astype(np.float64) @ self.weights + self.intercepts

    def files(self) -> Files:
        """weights.npz and member.json."""
        arrays = {"weights": self.weights, "intercepts": self.intercepts} | scaler_arrays(self.scaler)
        return {"member.json": pack_settings({"kind": "logit"}), "weights.npz": pack_arrays(arrays)}


def load_logit(files: Files) -> Logit:
    """The member that `Logit.files` stored."""
    arrays = unpack_arrays(files["weights.npz"])
    return Logit(scaler_of(arrays), arrays["weights"], arrays["intercepts"])


def fit_logit(spec: LogitSpec, window: Window) -> Logit:
    """Fits each label on every symbol's rows together. A label with one outcome only gets its base rate.

    Minimises log loss + penalty / 2 * |weights|^2 (Hoerl and Kennard 1970; le Cessie and van Houwelingen 1992).
    """
    from sklearn.linear_model import LogisticRegression

    scaler = fit_scaler(window)
    features = scaler(window.values).astype(np.float64)
    n_labels = window.labels.shape[2]
    weights, intercepts = np.zeros((features.shape[2], n_labels)), np.zeros(n_labels)
    for column in range(n_labels):
        rows, outcomes = labelled_rows(features, window.labels[:, :, column])
        intercepts[column] = base_log_odds(outcomes)
        if len(np.unique(outcomes)) == 2:
            model = LogisticRegression(C=1 / spec.penalty, max_iter=500).fit(rows, outcomes)
            weights[:, column], intercepts[column] = model.coef_[0], model.intercept_[0]
    return Logit(scaler, weights, intercepts)
