"""How a trial did on past sessions, as the ledger keeps it: one member in a sweep, or an ensemble in a backtest."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ensemble.evaluation.roc_area import fold_auc
from ensemble.evaluation.scored import Scored
from ensemble.evaluation.significance import session_losses
from storage.trial_store import TrialScores


@dataclass(frozen=True, slots=True)
class Walked:
    """What was forecast out of sample, beside the base rate known at the time; either as P(label is 1)."""

    said: Scored
    base: Scored


def losses_of(walked: Walked) -> pd.DataFrame:
    """log_loss and base_log_loss of each session with a known outcome, nats; index session."""
    both = {"log_loss": session_losses(walked.said), "base_log_loss": session_losses(walked.base)}
    return pd.DataFrame(both, index=walked.said.sessions.rename("session")).dropna()


def scores_of(walked: Walked) -> TrialScores:
    """What the ledger says of the trial; of no sessions where no outcome is known."""
    losses = losses_of(walked)
    if losses.empty:
        return TrialScores()
    probability, outcome = walked.said.flat()
    area = fold_auc(walked.said).value
    return TrialScores(
        sessions=len(losses),
        log_loss=float(losses["log_loss"].mean()),
        base_log_loss=float(losses["base_log_loss"].mean()),
        auc=area if np.isfinite(area) else None,
        right_share=float(((probability > 0.5) == (outcome > 0.5)).mean()),
    )
