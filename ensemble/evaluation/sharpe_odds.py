"""Is a Sharpe ratio more than luck, and more than the luck of whoever tries often? Bailey and Lopez de Prado."""

from dataclasses import dataclass

import numpy as np

from ensemble.arrays import Floats
from ensemble.evaluation.deflation import deflated_sharpe, minimum_track_record, moments, probabilistic_sharpe
from ensemble.evaluation.return_figures import SESSIONS_A_YEAR, risk_free_a_session

MIN_SESSIONS = 3


@dataclass(frozen=True, slots=True)
class SharpeOdds:
    """What the ratio of one account says about the true one, skewness and fat tails counted."""

    probability: float
    """That the true ratio is above 0, had this been the only try: the probabilistic Sharpe ratio (2012)."""
    deflated: float
    """The same against the best of as many tries without skill: the deflated Sharpe ratio (2014)."""
    trials: int
    """How many tries that is."""
    benchmark: float
    """The Sharpe ratio, a year, that the best of them is expected to show without skill."""
    track_record_sessions: float | None
    """So many such sessions make it 95 % sure that the true ratio is above 0 (2012); None if it is not above 0."""
    deflated_track_record_sessions: float | None
    """The same against the benchmark; None if it is not above it."""


def sharpe_odds(returns: Floats, *, trials: int, risk_free_pct: float) -> SharpeOdds | None:
    """From simple returns (n_sessions,), in one of `trials` accounts. None for fewer than 3 that differ.

    How the ratios of the other tries vary is not known; they are taken to vary as without skill.
    """
    if len(returns) < MIN_SESSIONS or np.ptp(returns) == 0:
        return None
    said = moments(returns - risk_free_a_session(risk_free_pct))
    deflated = deflated_sharpe(returns - risk_free_a_session(risk_free_pct), np.array([said.sharpe]), trials=trials)
    return SharpeOdds(
        probability=probabilistic_sharpe(said, 0.0),
        deflated=deflated.probability,
        trials=trials,
        benchmark=deflated.benchmark * float(np.sqrt(SESSIONS_A_YEAR)),
        track_record_sessions=minimum_track_record(said, 0.0),
        deflated_track_record_sessions=minimum_track_record(said, deflated.benchmark),
    )
