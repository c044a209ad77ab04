"""How sure the probability itself is: the inductive Venn-Abers predictor of Vovk, Petej and Fedorova (2015).

The next outcome is either 0 or 1. Isotonic regression on the history with the forecast added as a 0 gives the low end,
added as a 1 the high end; whichever comes, one of the two was a calibrated probability, as far as history is
exchangeable with what follows. Few outcomes near a score make the interval wide.
"""

from dataclasses import dataclass

import numpy as np

from ensemble.arrays import Floats
from ensemble.stacking.isotonic import pooled, rising

MIN_OUTCOMES = 50
SCORE_DECIMALS = 2
"""Scores are log-odds in hundredths, at most a quarter of a per cent apart: some hundreds of them and not thousands."""


@dataclass(frozen=True, slots=True)
class VennAbers:
    """Two staircases over the scores: `low_levels[i]` from `low_edges[i - 1]` on, `high_levels[i]` up to
    `high_edges[i]`. Without levels nothing is known.
    """

    low_edges: tuple[float, ...] = ()
    low_levels: tuple[float, ...] = ()
    high_edges: tuple[float, ...] = ()
    high_levels: tuple[float, ...] = ()

    def __call__(self, log_odds: Floats) -> tuple[Floats, Floats]:
        """Low and high probability, each of the same shape, rising with the log-odds; NaN where nothing is known."""
        if not self.low_levels:
            return np.full(log_odds.shape, np.nan), np.full(log_odds.shape, np.nan)
        score = np.round(log_odds, SCORE_DECIMALS)
        low = np.array(self.low_levels)[np.searchsorted(self.low_edges, score, side="right")]
        high = np.array(self.high_levels)[np.searchsorted(self.high_edges, score, side="left")]
        return low, high


def fit_venn_abers(log_odds: Floats, outcomes: Floats, *, weight: float = 1.0) -> VennAbers:
    """From n pairs that the forecaster had not seen when it made them; knows nothing below MIN_OUTCOMES of them.

    `weight` is how many of the pairs one forecast counts for, above 1 where several of them share one fate. A 0 between
    two known scores is fitted as if it had come at the one below, a 1 as if at the one above: there it ends up.
    """
    if len(outcomes) < MIN_OUTCOMES:
        return VennAbers()
    scores, counts, ups = pooled(np.round(log_odds, SCORE_DECIMALS), outcomes)
    low, high = np.zeros(len(scores) + 1), np.ones(len(scores) + 1)
    for place, more in enumerate(weight * np.eye(len(scores))):
        low[place + 1] = rising(ups / (counts + more), counts + more)[place]
        high[place] = rising((ups + more) / (counts + more), counts + more)[place]
    # They rise by themselves; this takes away what rounding in the sixteenth digit undoes.
    low, high = np.maximum.accumulate(low), np.maximum.accumulate(high)
    low_steps, high_steps = low[1:] != low[:-1], high[1:] != high[:-1]
    return VennAbers(
        low_edges=tuple(scores[low_steps].tolist()),
        low_levels=tuple(low[np.concatenate([[True], low_steps])].tolist()),
        high_edges=tuple(scores[high_steps].tolist()),
        high_levels=tuple(high[np.concatenate([high_steps, [True]])].tolist()),
    )
