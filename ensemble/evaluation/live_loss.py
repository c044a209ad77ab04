"""Do forecasts lose more than they said they would? Watched session by session, as long as one likes.

Who says p expects the loss H(p), the entropy, if p is right. So what is lost beyond it has mean zero as long as
forecasts come true as often as they say, whatever they are and whoever makes them; overconfidence makes it positive. It
is bet on: each stake multiplies its wealth by 1 + stake * excess, a martingale as long as nothing is wrong, and the sum
over all sessions to begin at is the detector of Shiryaev and Roberts, in the form of Shin, Ramdas and Rinaldo (2023):
without a fault it takes at least as many sessions to reach a level, on average, as the level says. Nobody has to choose
when to look.
"""

from dataclasses import dataclass

import numpy as np

from ensemble.arrays import Floats
from ensemble.evaluation.scored import Scored

STAKES = (0.1, 0.2, 0.4, 0.8, 1.6)
"""An excess is never below -0.2785, so no stake can lose more than half of what it has in a session."""
SURE = 1e-6
"""Nearer to 0 or 1 a probability counts as this: one surprise shall not be infinite."""


@dataclass(frozen=True, slots=True)
class LossWatch:
    """What was found after each session whose outcome is known, in their order."""

    excess: Floats
    """Loss beyond the expected one, mean over stocks, nats; (n_known,)."""
    level: Floats
    """How strong the evidence is that it is not just luck; it begins anew after each alarm. (n_known,)."""
    alarms: tuple[int, ...]
    """Places at which it reached the level that is watched for."""
    places: tuple[int, ...]
    """Which of the sessions are known."""


def watch_losses(scored: Scored, *, alarm_level: float) -> LossWatch:
    """The watch over all forecasts whose outcome is known.

    Outcomes that overlap are not each other's surprise: of a label over h sessions every h-th is one series, and the
    level is the mean of the h, as Henzi and Ziegel (2022) average their e-values.
    """
    excess = excess_losses(scored.probability, scored.outcome)
    places = np.flatnonzero(np.isfinite(excess))
    series = np.zeros((scored.horizon, len(STAKES)))
    levels, alarms = [], []
    for count, place in enumerate(places.tolist()):
        own = series[place % scored.horizon]
        own[:] = (1 + own) * (1 + np.array(STAKES) * excess[place])
        levels.append(float(series.mean()))
        if levels[-1] >= alarm_level:
            alarms.append(count)
            series[:] = 0
    return LossWatch(excess[places], np.array(levels), tuple(alarms), tuple(places.tolist()))


def excess_losses(probability: Floats, outcome: Floats) -> Floats:
    """Log loss less the entropy of what was said, mean over stocks, nats: (n_sessions,), NaN where nothing is known."""
    said = np.clip(probability, SURE, 1 - SURE)
    odds = np.log(said) - np.log1p(-said)
    # -y log p - (1 - y) log(1 - p) + p log p + (1 - p) log(1 - p)
    excess = (said - outcome) * odds
    known = np.isfinite(excess)
    counted = known.sum(axis=0)
    total = np.where(known, excess, 0.0).sum(axis=0)
    return np.asarray(np.divide(total, counted, out=np.full(total.shape, np.nan), where=counted > 0))
