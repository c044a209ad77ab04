"""What moves a synthetic market: nights in New York, and the stocks' own surprises."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ensemble.arrays import Floats
from ensemble.evaluation.synthetic.coupling import DEGREES_OF_FREEDOM
from ensemble.evaluation.synthetic.timeline import Timeline
from ensemble.evaluation.synthetic.volatility import STORMY, volatility_levels

PARTS = 2
"""A session's opening gap and what follows, in this order; each has a leader of its own."""
GAP_SHARE = 0.3
"""Of a session's variance, that of its opening gap; at home and abroad."""
SHARES = np.sqrt([GAP_SHARE, 1 - GAP_SHARE])
"""Weights with which two parts of variance 1 make a session of variance 1."""
OWN_SHARE = 0.1
"""Of the variance of what is known of a part, that of the stock's own last surprise; its leader has the rest."""
COMMON_SHARE = 0.3
"""Of the variance of a surprise, that which all stocks share."""
SURPRISE_DEVIATION = float(np.sqrt(DEGREES_OF_FREEDOM / (DEGREES_OF_FREEDOM - 2)))
"""Standard deviation of Student's t."""


@dataclass(frozen=True)
class Drivers:
    """All that is drawn but the paths within a day."""

    timeline: Timeline
    night_levels: Floats
    """Volatility, 1 is usual, (n_nights + 1,): one more than there are nights, because FEAR quotes the next."""
    night_parts: Floats
    """Standard normal innovations of each leader's gap and day, (PARTS, n_leaders, n_nights)."""
    mixing: Floats
    """By how much a session's surprises are scaled, (n_sessions,): one for all stocks and both parts."""
    common: Floats
    """The surprise that all stocks share, in full size, (PARTS, n_sessions); Student's t."""
    surprises: Floats
    """Each stock's, Student's t, (PARTS, n_symbols, n_sessions)."""

    @cached_property
    def levels(self) -> Floats:
        """Volatility at home, (n_sessions,): what FEAR quoted in the newest night that the decision knows."""
        return self.night_levels[self.timeline.newest + 1]

    @cached_property
    def from_leaders(self) -> Floats:
        """What the leaders let know of each part, (PARTS, n_sessions)."""
        innovations = np.tensordot(SHARES, self.night_parts, axes=1)
        return np.asarray(np.sqrt(1 - OWN_SHARE) * self.timeline.news(innovations))

    @cached_property
    def known(self) -> Floats:
        """All that is known of each part, (PARTS, n_symbols, n_sessions).

        A stock's last surprise goes on in calm times and comes back in storms (LeBaron 1992;
        Sentana and Wadhwani 1992).
        """
        direction = np.where(self.levels > STORMY, -1.0, 1.0)
        last = np.zeros_like(self.surprises)
        last[..., 1:] = self.surprises[..., :-1]
        return np.asarray(self.from_leaders[:, None] + np.sqrt(OWN_SHARE) * direction * last / SURPRISE_DEVIATION)


def draw_drivers(timeline: Timeline, symbols: int, random: np.random.Generator) -> Drivers:
    """Of a market with so many symbols.

    Both parts of all stocks' surprises are normal and in a session scaled alike, so that any sum of a session's parts
    is Student's t again: a normal over the root of an independent chi-square over its degrees of freedom.
    """
    nights, sessions = len(timeline.nights), len(timeline.home.sessions)
    levels = volatility_levels(nights + 1, random)
    night_parts = random.normal(size=(PARTS, PARTS, nights))
    mixing = np.sqrt(DEGREES_OF_FREEDOM / random.chisquare(DEGREES_OF_FREEDOM, sessions))
    common = mixing * random.normal(size=(PARTS, sessions))
    own = mixing * random.normal(size=(PARTS, symbols, sessions))
    surprises = np.sqrt(COMMON_SHARE) * common[:, None] + np.sqrt(1 - COMMON_SHARE) * own
    return Drivers(timeline, levels, night_parts, mixing, common, surprises)
