"""How the weights move: Adam on one flat vector, its step size rising and falling once over the whole training."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from ensemble.arrays import Reals
from ensemble.members.kernels import move_weights

RISE_SHARE = 0.3
"""Share of the steps in which the step size still rises (Smith and Topin 2019)."""
FIRST_MOMENT, SECOND_MOMENT = 0.9, 0.999
MAX_SLOPE = 1.0
"""Longer slopes are cut to this length, all weights together (Pascanu, Mikolov and Bengio 2013)."""


@dataclass
class Descent:
    """The weights under way, float32: one vector, seen through `weights` by name and shape."""

    weights: dict[str, Reals]
    peak_rate: float
    _taken: int = 0
    _flat: Reals = field(init=False)
    _mean: Reals = field(init=False)
    _square: Reals = field(init=False)

    def __post_init__(self) -> None:
        self.weights = dict(self.weights)
        self._flat = np.concatenate([one.ravel() for one in self.weights.values()]).astype(np.float32)
        self._mean, self._square = np.zeros((2, len(self._flat)), np.float32)
        start = 0
        for name, one in self.weights.items():
            self.weights[name] = self._flat[start : start + one.size].reshape(one.shape)
            start += one.size

    def step(self, slopes: Mapping[str, Reals], progress: float) -> None:
        """Moves every weight once, `progress` (0 to 1) of the way. Kingma and Ba (2015), algorithm 1."""
        self._taken += 1
        slope = np.concatenate([slopes[name].ravel() for name in self.weights])
        share = min(1.0, MAX_SLOPE / max(float(np.sqrt(slope @ slope)), MAX_SLOPE))
        rate = self.rate(progress) / (1 - FIRST_MOMENT**self._taken)
        move_weights(self._flat, self._mean, self._square, slope, share, rate, 1 - SECOND_MOMENT**self._taken)

    def rate(self, progress: float) -> float:
        """The step size `progress` of the way: one cycle, up in a line, down along half a cosine."""
        if progress < RISE_SHARE:
            return self.peak_rate * progress / RISE_SHARE
        return self.peak_rate * (1 + float(np.cos(np.pi * (progress - RISE_SHARE) / (1 - RISE_SHARE)))) / 2
