"""The sweep: members with other figures, each walked forward through the same months, every one of them in the ledger.

It goes on from the ledger: what was tried is not tried again, and what was trained is not trained again. Nothing from
the hold-out on is in the panel that it works on.
"""

from dataclasses import replace

import numpy as np
import pandas as pd
from loguru import logger

from daemon.errors import DaemonError
from daemon.member_walk import Walked
from daemon.search import is_hopeless
from daemon.services import Services
from daemon.study import Study, Wanted, open_study, spec_in
from daemon.training import TrainingFailed
from ensemble.evaluation.roc_area import fold_auc
from ensemble.evaluation.search_space import first_specs
from ensemble.evaluation.significance import session_losses
from storage.engine import transaction
from storage.trial_store import Trial, TrialScores, TrialState, write_performance, write_trial

MOST_FAILURES = 3
"""So many failed trials in a row end a sweep: it is not their figures then."""


def sweep(services: Services, wanted: Wanted) -> Study:
    """Makes the trials that are missing and returns all of them; interrupted, the next call goes on.

    Raises DaemonError when no session with a bar is left before the hold-out, TrainingFailed when nothing can be
    trained, WindowError, FeedError, StoreError.
    """
    study = open_study(services, wanted)
    missing = range(len(study.trials), wanted.trials)
    for number in services.progress(missing, total=len(missing), label="sweep"):
        trial = _run(study, study.begun(number))
        study.trials.append(trial)
        logger.info("sweep: {}", describe_trial(trial))
    return study


def _run(study: Study, trial: Trial) -> Trial:
    services = study.services
    with transaction(services.engine) as conn:
        write_trial(conn, trial)
    try:
        ended, walked = _walked(study, trial)
    except TrainingFailed as error:
        ended, walked = replace(trial, state=TrialState.FAILED, detail=str(error)), None
    ended = replace(ended, finished_at=services.clock.now())
    with transaction(services.engine) as conn:
        write_trial(conn, ended)
        if walked is not None and ended.state == TrialState.COMPLETE:
            write_performance(conn, ended.trial_id, losses_of(walked))
    failed = [one.state == TrialState.FAILED for one in [*study.trials, ended]]
    if all(failed) or (len(failed) >= MOST_FAILURES and all(failed[-MOST_FAILURES:])):
        raise TrainingFailed(ended.detail)
    return ended


def _walked(study: Study, trial: Trial) -> tuple[Trial, Walked]:
    """The trial, complete or given up, and its forecasts. Presets are never given up: all are compared with them."""
    spec, tried, progress = spec_in(trial), study.tried(), list[float]()
    may_be_given_up = trial.number >= len(first_specs(study.services.settings.sweep))
    for number in range(study.looks):
        walked = study.walk.walk(spec, study.look(number))
        progress.append(float(losses_of(walked)["log_loss"].mean()))
        complete = number + 1 == study.looks
        if not complete and may_be_given_up and is_hopeless(progress, tried):
            break
    state = TrialState.COMPLETE if complete else TrialState.PRUNED
    return replace(trial, state=state, scores=scores_of(walked), progress=progress), walked


def losses_of(walked: Walked) -> pd.DataFrame:
    """log_loss and base_log_loss of each session with a known outcome, nats; index session."""
    both = {"log_loss": session_losses(walked.said), "base_log_loss": session_losses(walked.base)}
    return pd.DataFrame(both, index=walked.said.sessions.rename("session")).dropna()


def scores_of(walked: Walked) -> TrialScores:
    """What the ledger says of the trial. Raises DaemonError when no outcome is known."""
    losses = losses_of(walked)
    if losses.empty:
        raise DaemonError("no outcome is known in this range yet; choose an earlier one.")
    probability, outcome = walked.said.flat()
    area = fold_auc(walked.said).value
    return TrialScores(
        sessions=len(losses),
        log_loss=float(losses["log_loss"].mean()),
        base_log_loss=float(losses["base_log_loss"].mean()),
        auc=area if np.isfinite(area) else None,
        right_share=float(((probability > 0.5) == (outcome > 0.5)).mean()),
    )


def describe_trial(trial: Trial) -> str:
    """One line, as in "trial 3, wider: log loss 0.6915, base rate 0.6926, 1,856 sessions, complete"."""
    head, scores = f"trial {trial.number}, {trial.settings['name']}: ", trial.scores
    if scores.log_loss is None:
        return f"{head}{trial.state}, {trial.detail}"
    losses = f"log loss {scores.log_loss:.4f}, base rate {scores.base_log_loss:.4f}"
    return f"{head}{losses}, {scores.sessions:,} sessions, {trial.state}"
