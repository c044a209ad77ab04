"""How much everything moves: volatility that clusters, and storms in which it doubles."""

import numpy as np

from ensemble.arrays import Floats

PERSISTENCE = 0.97
"""Of the logarithm of volatility from one session to the next; Jacquier, Polson and Rossi (1994) find .95 to .99."""
DEVIATION = 0.3
"""Of the logarithm of volatility, in the long run and within a regime."""
STORM_FACTOR = 2.0
CALM_SESSIONS, STORM_SESSIONS = 250, 60
"""Mean length of each regime."""
STORMY = 2.0**0.5
"""Above this level it is called a storm: half-way, as a ratio, between the two regimes' levels."""


def volatility_levels(count: int, random: np.random.Generator) -> Floats:
    """Volatility of each of `count` sessions in units of its usual level, (count,).

    Stochastic volatility, an autoregression of its logarithm (Taylor 1986), and two regimes that follow each other as a
    Markov chain (Hamilton and Susmel 1994).
    """
    from scipy.signal import lfilter

    shocks = random.normal(size=count) * DEVIATION * np.sqrt(1 - PERSISTENCE**2)
    shocks[:1] = random.normal(size=min(count, 1)) * DEVIATION
    logs = lfilter([1.0], [1.0, -PERSISTENCE], shocks)
    return np.asarray(np.exp(logs) * np.where(_storms(count, random), STORM_FACTOR, 1.0))


def _storms(count: int, random: np.random.Generator) -> Floats:
    """1 in a storm, else 0, (count,); lengths are geometric, the first regime is calm."""
    state, found = np.zeros(count), 0
    while found < count:
        found += int(random.geometric(1 / CALM_SESSIONS))
        length = int(random.geometric(1 / STORM_SESSIONS))
        state[found : found + length] = 1.0
        found += length
    return state
