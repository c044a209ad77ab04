"""Standardised features: the training window's mean and deviation, frozen with the member that used them."""

from dataclasses import dataclass

import numpy as np

from ensemble.arrays import Floats, Singles
from ensemble.windows import Window

CLIP = 5.0
"""Standardised values beyond this are cut: one bad tick must not move a forecast by more."""


@dataclass(frozen=True, slots=True)
class Scaler:
    """Mean and deviation of each feature, (n_features,)."""

    mean: Floats
    deviation: Floats

    def __call__(self, values: Singles) -> Singles:
        """(values - mean) / deviation, clipped, and 0 where unknown; same shape."""
        scaled = np.clip((values - self.mean) / self.deviation, -CLIP, CLIP)
        return np.where(np.isfinite(scaled), scaled, 0.0).astype(np.float32)


def fit_scaler(window: Window) -> Scaler:
    """Mean and deviation of the window's known values; infinite for a feature that never varies, which makes it 0."""
    values = window.values.astype(np.float64)
    known = np.isfinite(values)
    count = np.maximum(known.sum(axis=(0, 1)), 1)
    filled = np.where(known, values, 0.0)
    mean = filled.sum(axis=(0, 1)) / count
    variance = np.where(known, (values - mean) ** 2, 0.0).sum(axis=(0, 1)) / count
    deviation = np.sqrt(variance)
    return Scaler(mean, np.where(deviation > 1e-9, deviation, np.inf))
