"""The window as a plain table: one row a symbol and session whose outcome is known."""

import numpy as np

from ensemble.arrays import Floats, Singles


def labelled_rows(features: Floats, labels: Singles) -> tuple[Floats, Floats]:
    """Rows (n, n_features) and outcomes (n,) where `labels` (n_symbols, n_rows) is known."""
    known = np.isfinite(labels)
    return features[known], labels[known].astype(np.float64)


def base_log_odds(outcomes: Floats) -> float:
    """Log-odds of the outcomes' mean, half an outcome added to each side to keep it finite (Haldane-Anscombe)."""
    ups = float(outcomes.sum())
    return float(np.log((ups + 0.5) / (len(outcomes) - ups + 0.5)))
