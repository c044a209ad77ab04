"""How often so sure a forecast came true in past months, at the least: a lower confidence bound, not the share.

The past is looked at from five rungs: every forecast of the side, then the surest half, quarter, eighth and sixteenth.
Each rung has Wilson's (1927) one-sided lower bound, for as many independent outcomes as it is worth (Kish 1965). A
forecast is believed the best bound of the rungs that it reaches, for a surer one is no worse. As the best of five is
taken, each may be wrong a fifth as often as is allowed (Bonferroni): then all five hold together.
"""

from dataclasses import dataclass
from functools import lru_cache
from math import sqrt
from statistics import NormalDist

import numpy as np

from ensemble.arrays import Integers
from ensemble.stacking.evidence import Evidence

RUNGS = (1.0, 1 / 2, 1 / 4, 1 / 8, 1 / 16)
"""Shares of the forecasts of a side, the surest of them."""
MIN_FORECASTS = 50
"""Of a side, or of both where both count; fewer tell nothing."""


@dataclass(frozen=True, slots=True)
class Rung:
    """The forecasts of a side that were at least so sure of it."""

    score: int
    """Least log-odds of the side, in hundredths."""
    forecasts: int
    came_true: int
    worth: float
    """How many independent outcomes they are worth."""

    def least_share(self, level: float) -> float:
        """Lower confidence bound of the share that comes true."""
        return wilson_lower(self.came_true / self.forecasts, self.worth, level)


def least_precision(evidence: Evidence, score: int, *, up: bool, level: float) -> float | None:
    """Lower bound, at confidence `level`, of P(the side comes true | a forecast with at least these log-odds of it).

    `score` is in hundredths. It rises with the score, and with evidence of the same shares. None with fewer than
    MIN_FORECASTS of the side.
    """
    return max((bound for least, bound in _bounds(evidence, up, level) if least <= score), default=None)


def wilson_lower(share: float, worth: float, level: float) -> float:
    """One-sided lower confidence bound, at `level` from 0.5, of a share seen in `worth` independent outcomes.

    Wilson (1927): the least probability that a test of this level would not refuse.
    """
    z = NormalDist().inv_cdf(level)
    centre = share + z * z / (2 * worth)
    reach = z * sqrt(share * (1 - share) / worth + z * z / (4 * worth * worth))
    return min(max((centre - reach) / (1 + z * z / worth), 0.0), share)


def rungs(evidence: Evidence, *, up: bool) -> tuple[Rung, ...]:
    """The rungs of a side, lowest first; none with fewer than MIN_FORECASTS of it. Log-odds of 0 are of both sides."""
    scores, counts, true = _surest_first(evidence, up=up)
    reached = counts.cumsum()
    if not len(reached) or reached[-1] < MIN_FORECASTS:
        return ()
    places = np.searchsorted(reached, np.array(RUNGS) * reached[-1]).tolist()
    return tuple(
        Rung(
            score=int(scores[place]) if number else 0,  # any forecast of the side reaches the lowest
            forecasts=int(reached[place]),
            came_true=int(true[: place + 1].sum()),
            worth=evidence.worth * int(reached[place]) / evidence.count,
        )
        for number, place in enumerate(places)
    )


@lru_cache(maxsize=64)
def _bounds(evidence: Evidence, up: bool, level: float) -> tuple[tuple[int, float], ...]:
    """The score of each rung and the bound that holds there; the same for every forecast of a month."""
    of_each = 1 - (1 - level) / len(RUNGS)
    return tuple((rung.score, rung.least_share(of_each)) for rung in rungs(evidence, up=up))


def _surest_first(evidence: Evidence, *, up: bool) -> tuple[Integers, Integers, Integers]:
    """Log-odds of the side, falling from the surest to 0, how often each was said, and how often it came true."""
    scores, counts, ups = (np.array(kept, dtype=np.int64) for kept in (evidence.scores, evidence.counts, evidence.ups))
    sure, true = (scores, ups) if up else (-scores, counts - ups)
    order = np.flatnonzero(sure >= 0)[:: -1 if up else 1]
    return sure[order], counts[order], true[order]
