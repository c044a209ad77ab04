"""How often forecasts as sure as this one were right: the first thing to ask before believing it."""

from dataclasses import dataclass
from math import floor

import numpy as np

from ensemble.evaluation.estimate import Estimate
from ensemble.evaluation.scored import Scored
from ensemble.evaluation.share import share
from ensemble.stacking.evidence import SCORES_A_LOG_ODDS, Evidence
from ensemble.trading.precision import wilson_lower

BANDS_A_UNIT = 20
"""Forecasts count as equally sure when their confidence lies in the same twentieth: 0.70 to 0.75."""
LEVEL = 0.975
"""Of each end of a 95 % interval."""


@dataclass(frozen=True, slots=True)
class PastRecord:
    """The forecasts of one label in the same band of confidence whose outcome is known."""

    forecasts: int
    sessions: int | None
    """None where only the forecasts are counted."""
    claimed: float
    """Their mean confidence."""
    right: Estimate
    """The share of them that was on the right side of one half, with its 95 % interval; NaN without any."""
    commoner_side: float
    """The share that always naming the side that came more often would have had right."""


def band_of(confidence: float) -> tuple[float, float]:
    """The band that the confidence lies in, as in (0.70, 0.75); 1 lies in the highest."""
    place = min(floor(round(confidence * BANDS_A_UNIT, 9)), BANDS_A_UNIT - 1)
    return place / BANDS_A_UNIT, (place + 1) / BANDS_A_UNIT


def past_record(scored: Scored, confidence: float) -> PastRecord:
    """Of the forecasts in the band of `confidence`; the intervals take a session's stocks and overlaps for what they
    are.
    """
    low, high = band_of(confidence)
    sure = np.maximum(scored.probability, 1 - scored.probability)
    chosen = scored.known & (sure >= low) & ((sure < high) | (high == 1))
    hits = np.where(chosen, (scored.probability >= 0.5) == (scored.outcome > 0.5), np.nan)
    ups = scored.outcome[chosen].mean() if chosen.any() else np.nan
    return PastRecord(
        forecasts=int(chosen.sum()),
        sessions=int(chosen.any(axis=0).sum()),
        claimed=float(sure[chosen].mean()) if chosen.any() else np.nan,
        right=share(hits, lags=scored.lags),
        commoner_side=float(max(ups, 1 - ups)),
    )


def rehearsed_record(evidence: Evidence, confidence: float) -> PastRecord:
    """The same of what was said out of sample in the months before the model was made."""
    scores, counts, ups = (
        np.array(kept, dtype=np.float64) for kept in (evidence.scores, evidence.counts, evidence.ups)
    )
    up = 1 / (1 + np.exp(-scores / SCORES_A_LOG_ODDS))
    low, high = band_of(confidence)
    sure = np.maximum(up, 1 - up)
    chosen = (sure >= low) & ((sure < high) | (high == 1))
    count = int(counts[chosen].sum())
    if not count:
        return PastRecord(0, None, np.nan, Estimate(np.nan, np.nan, np.nan), np.nan)
    right = float(np.where(up >= 0.5, ups, counts - ups)[chosen].sum()) / count
    worth = max(evidence.worth * count / evidence.count, 1.0)
    came_up = float(ups[chosen].sum()) / count
    interval = wilson_lower(right, worth, LEVEL), 1 - wilson_lower(1 - right, worth, LEVEL)
    claimed = float((sure * counts)[chosen].sum()) / count
    return PastRecord(count, None, claimed, Estimate(right, *interval), max(came_up, 1 - came_up))
