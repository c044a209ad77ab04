"""Calibration by the rising curve that fits best: isotonic regression (Zadrozny and Elkan 2002)."""

from dataclasses import dataclass

import numpy as np

from ensemble.arrays import Floats
from ensemble.stacking.history import CLIP_LOG_ODDS


@dataclass(frozen=True, slots=True)
class RisingCurve:
    """Straight lines through points (score, probability), level beyond them; without points the identity."""

    scores: tuple[float, ...] = ()
    probabilities: tuple[float, ...] = ()

    def __call__(self, log_odds: Floats) -> Floats:
        """Calibrated log-odds, same shape."""
        if not self.scores:
            return log_odds
        probability = np.interp(log_odds, self.scores, self.probabilities)
        return np.asarray(np.log(probability / (1 - probability)))


def fit_rising(log_odds: Floats, outcomes: Floats) -> RisingCurve:
    """The best rising curve through n pairs, by pool adjacent violators, cut where nobody can forecast so surely."""
    scores, counts, ups = pooled(log_odds, outcomes)
    surest = 1 / (1 + np.exp(-CLIP_LOG_ODDS))
    fitted = np.clip(rising(ups / counts, counts), 1 - surest, surest)
    inner = (fitted[1:-1] == fitted[:-2]) & (fitted[1:-1] == fitted[2:])  # inside a level stretch: its ends will do
    kept = np.concatenate([[True], ~inner, [True]])[: len(scores)]
    return RisingCurve(tuple(scores[kept].tolist()), tuple(fitted[kept].tolist()))


def pooled(scores: Floats, outcomes: Floats) -> tuple[Floats, Floats, Floats]:
    """The distinct scores in rising order, how often each came, and how many of those came true."""
    distinct, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    return distinct, counts.astype(np.float64), np.bincount(place, weights=outcomes).astype(np.float64)


def rising(shares: Floats, weights: Floats) -> Floats:
    """The rising sequence nearest to `shares`, weighted squares."""
    from scipy.optimize import isotonic_regression

    return np.asarray(isotonic_regression(shares, weights=weights).x)
