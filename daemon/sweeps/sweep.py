"""The sweep: members with other figures, each walked forward through the same months, every one of them in the ledger.

It goes on from the ledger: what was tried is not tried again, and what was trained is not trained again. Nothing from
the hold-out on is in the panel that it works on.
"""

from collections.abc import Sequence
from dataclasses import replace

from loguru import logger

from daemon.errors import DaemonError
from daemon.services import Services
from daemon.sweeps.search import is_hopeless
from daemon.sweeps.study import Study, Wanted, open_study, spec_in
from daemon.sweeps.trial_scores import Walked, losses_of, scores_of
from daemon.training.trainer import TrainingFailed
from ensemble.counted import counted
from ensemble.evaluation.search_space import first_specs
from storage.engine import transaction
from storage.trial_store import Trial, TrialState, write_performance, write_trial

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
    if study.trials and _all_failed(study.trials):
        raise TrainingFailed(study.trials[-1].detail)
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
    newest = [*study.trials, ended][-MOST_FAILURES:]
    if len(newest) == MOST_FAILURES and _all_failed(newest):
        raise TrainingFailed(ended.detail)
    return ended


def _all_failed(trials: Sequence[Trial]) -> bool:
    return all(trial.state == TrialState.FAILED for trial in trials)


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
    scores = scores_of(walked)
    if not scores.sessions:
        raise DaemonError("no outcome is known in this range yet; choose an earlier one.")
    return replace(trial, state=state, scores=scores, progress=progress), walked


def describe_trial(trial: Trial) -> str:
    """One line, as in "trial 3, wider: log loss 0.6915, base rate 0.6926, 1,856 sessions, complete"."""
    head, scores = f"trial {trial.number}, {trial.settings['name']}: ", trial.scores
    if scores.log_loss is None:
        return f"{head}{trial.state}, {trial.detail}"
    losses = f"log loss {scores.log_loss:.4f}, base rate {scores.base_log_loss:.4f}"
    return f"{head}{losses}, {counted(scores.sessions, 'session', ',')}, {trial.state}"
