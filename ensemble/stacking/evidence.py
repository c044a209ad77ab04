"""What a label's speaker said in past months, and what came of it: by this is told what its word is worth."""

from dataclasses import dataclass

import numpy as np

from ensemble.arrays import Floats
from ensemble.long_run import rows_for_one
from ensemble.stacking.isotonic import pooled

SCORES_A_LOG_ODDS = 100
"""Scores are log-odds in hundredths, at most a quarter of a per cent apart: some hundreds of them and not thousands."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Out-of-sample forecasts of one label whose outcome was known when the model was made; empty without any."""

    scores: tuple[int, ...] = ()
    """Distinct log-odds in hundredths, rising."""
    counts: tuple[int, ...] = ()
    """How often each was said."""
    ups: tuple[int, ...] = ()
    """How many of those came true."""
    worth: float = 0.0
    """How many independent outcomes say as much: stocks of one session share a fate, and labels overlap."""

    @property
    def count(self) -> int:
        """How many forecasts there are."""
        return sum(self.counts)


def gather_evidence(log_odds: Floats, outcomes: Floats, *, lags: int) -> Evidence:
    """From what was said, (n_symbols, n_sessions), and what came of it: 0, 1 or NaN, not known.

    Labels overlap by `lags` sessions. The worth is the count over Kish's (1965) design effect of the errors.
    """
    known = np.isfinite(outcomes)
    if not known.any():
        return Evidence()
    scores, counts, ups = pooled(np.rint(SCORES_A_LOG_ODDS * log_odds[known]), outcomes[known])
    errors = outcomes - 1 / (1 + np.exp(-log_odds))
    return Evidence(
        scores=tuple(scores.astype(np.int64).tolist()),
        counts=tuple(counts.astype(np.int64).tolist()),
        ups=tuple(ups.astype(np.int64).tolist()),
        worth=float(known.sum()) / rows_for_one(errors, lags=lags),
    )
