"""Do forecasts still look as they did when their speaker was made? The distance of Kolmogorov and Smirnov, and chance.

Its textbook limits are for independent rows. Forecasts of neighbouring sessions and of the stocks of one session are
alike, and the distance is looked at every day. So the limit is the speaker's own: from its out-of-sample forecasts
another past and another future are drawn again and again, in blocks of sessions, and it is seen how far these two get
from each other.
"""

from dataclasses import dataclass

import numpy as np

from ensemble.arrays import Floats
from ensemble.stacking.evidence import SCORES_A_LOG_ODDS, Evidence

WINDOW_SESSIONS = 30
"""So many are looked at together, drawn as a block, and needed at least."""
MOST_EDGES = 32
DRAWS, DRAWN_SESSIONS = 60, 1200
"""So often a past and its future, of so many sessions: one false alarm in 70,000 sessions can still be told."""


@dataclass(frozen=True, slots=True)
class ForecastShape:
    """How one label's forecasts were distributed out of sample, all stocks together."""

    edges: Floats
    """(n_edges,): log-odds in hundredths, rising."""
    shares: Floats
    """(n_edges,): of the forecasts that were not above each."""
    usual: Floats
    """(n_stretches,): the largest distance in each stretch of WINDOW_SESSIONS that was drawn, the largest first."""

    def limit(self, false_alarm_sessions: int) -> float:
        """What chance exceeds in one stretch of so many sessions; the largest drawn where fewer were drawn."""
        place = int(len(self.usual) * WINDOW_SESSIONS / false_alarm_sessions)
        return float(self.usual[min(place, len(self.usual) - 1)])

    def distance(self, probability: Floats) -> float:
        """Largest difference of shares, 0 to 1, of these forecasts; their order is of no account."""
        with np.errstate(divide="ignore"):
            scores = np.rint(SCORES_A_LOG_ODDS * (np.log(probability) - np.log1p(-probability)))
        below = np.searchsorted(np.sort(scores.ravel()), self.edges, side="right") / scores.size
        return float(np.abs(below - self.shares).max())


def shape_of(evidence: Evidence, log_odds: Floats, *, seed: int) -> ForecastShape | None:
    """Of what a label's speaker said out of sample; None where that are fewer than WINDOW_SESSIONS.

    `log_odds`, (n_symbols, n_sessions), NaN where nothing was said, are what it says of the same sessions, in their
    order. They count by rank alone, for a speaker that learnt from them is surer of them than of what comes later.
    """
    if log_odds.shape[1] < WINDOW_SESSIONS or not evidence.count:
        return None
    below = np.cumsum(evidence.counts) / evidence.count
    places = np.unique(np.searchsorted(below, np.arange(1, MOST_EDGES) / MOST_EDGES))
    edges, shares = np.array(evidence.scores, dtype=np.float64)[places], below[places]
    return ForecastShape(edges, shares, _usual(_below(log_odds, shares), np.random.default_rng(seed)))


def _below(log_odds: Floats, shares: Floats) -> Floats:
    """How many forecasts of each session are not above each quantile, and how many there are: (n_sessions, n + 1)."""
    said = np.isfinite(log_odds)
    edges = np.append(np.quantile(log_odds[said], shares), np.inf)
    return np.stack([((log_odds <= edge) & said).sum(axis=0) for edge in edges], axis=1).astype(np.float64)


def _usual(below: Floats, random: np.random.Generator) -> Floats:
    n_sessions, largest = len(below), []
    n_blocks = -(-(n_sessions + DRAWN_SESSIONS) // WINDOW_SESSIONS)
    for _ in range(DRAWS):
        starts = random.integers(n_sessions, size=n_blocks)
        drawn = below[(starts[:, None] + np.arange(WINDOW_SESSIONS)).ravel() % n_sessions]
        past, future = drawn[:n_sessions].sum(axis=0), drawn[n_sessions:]
        distances = _distances(future, past / max(past[-1], 1.0))
        whole = len(distances) // WINDOW_SESSIONS * WINDOW_SESSIONS
        largest.append(distances[:whole].reshape(-1, WINDOW_SESSIONS).max(axis=1))
    return np.sort(np.concatenate(largest))[::-1]


def _distances(below: Floats, shares: Floats) -> Floats:
    """Of each window of sessions from `shares`, in their order; those in which nothing was said are left out."""
    sums = np.cumsum(np.vstack([np.zeros_like(shares), below]), axis=0)
    windows = sums[WINDOW_SESSIONS:] - sums[:-WINDOW_SESSIONS]
    windows = windows[windows[:, -1] > 0]
    return np.asarray(np.abs(windows / windows[:, -1:] - shares).max(axis=1))
