"""What is left of the best trial once it counts that it was the best of many."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ensemble.arrays import Floats
from ensemble.evaluation.deflation import DeflatedSharpe, deflated_sharpe, independent_trials, sharpe_ratios
from ensemble.evaluation.overfitting import Overfitting, probability_of_overfitting
from ensemble.evaluation.resampling import block_length
from ensemble.evaluation.significance import BestOfMany, superior_predictive_ability

BLOCKS = 16
"""Parts that the sessions are cut into for the probability of backtest overfitting, as in its paper's examples."""
SURE = 0.95


@dataclass(frozen=True, slots=True)
class Selection:
    """The best of the trials, by Sharpe ratio of its gains on the base rate, and three ways of discounting it."""

    best: str
    """Its trial_id."""
    gain: float
    """By how much its log loss is below the base rate's, nats a session."""
    sessions: int
    deflated: DeflatedSharpe
    independent: float
    """How many independent trials all of them are worth."""
    superiority: BestOfMany
    """Of the best of those that were completed over the base rate."""
    overfitting: Overfitting | None
    """None with fewer than two complete trials, or too few sessions."""

    @property
    def is_superior(self) -> bool:
        """At the 5 % level the best trial is better than the base rate, the search counted."""
        return self.deflated.probability > SURE and self.superiority.p_value < 1 - SURE

    @property
    def is_proven(self) -> bool:
        """It is also better than most of the others on sessions that it was not chosen by, as far as can be told."""
        return self.is_superior and (self.overfitting is None or self.overfitting.probability < 0.5)


def select(gains: pd.DataFrame, *, trials: int, horizon: int) -> Selection | None:
    """From what each complete trial gained on the base rate, nats a session, (n_sessions, n_trials) by trial_id.

    Counted are the sessions that all of them were scored on.
    `trials` were made in all, the ones that were given up included; `horizon` is in sessions. None where nothing was
    gained or lost by any of them.
    """
    values: Floats = gains.dropna().to_numpy(np.float64)
    if len(values) < 3 or not values.std(axis=0).any():
        return None
    sharpes = sharpe_ratios(values)
    place = int(np.where(values.std(axis=0) > 0, sharpes, -np.inf).argmax())
    best = values[:, place]
    enough = values.shape[1] > 1 and len(values) >= 2 * BLOCKS
    return Selection(
        best=str(gains.columns[place]),
        gain=float(best.mean()),
        sessions=len(values),
        deflated=deflated_sharpe(best, sharpes, trials=trials, lags=horizon - 1),
        independent=independent_trials(values, trials),
        superiority=superior_predictive_ability(
            {str(name): -column for name, column in zip(gains.columns, values.T, strict=True)},
            np.zeros(len(values)),
            block=block_length(best, horizon=horizon),
        ),
        overfitting=probability_of_overfitting(values, blocks=BLOCKS) if enough else None,
    )
