"""A backtest is a trial too: whoever replays ten configurations and keeps the best has chosen among ten."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pandas as pd

from daemon.services import Services
from daemon.trial_scores import Walked, losses_of, scores_of
from ensemble.evaluation.baselines import base_rate
from ensemble.evaluation.history import History
from ensemble.evaluation.scored import Scored, scored_labels
from ensemble.labels import LABELS
from ensemble.panel import Panel
from storage.trial_store import Trial, TrialState


def trials_of_backtest(
    services: Services, panel: Panel, rows: pd.DataFrame, *, sessions: pd.DatetimeIndex
) -> Iterator[tuple[Trial, pd.DataFrame]]:
    """What the ledger says of a replay of `sessions`: a trial for each label, and its losses as `losses_of` gives them.

    `rows` are the forecasts that may be looked at: session, symbol, label, probability, outcome. The labels of one
    recipe are one configuration, and the same recipe over another range is the same trial.
    """
    scored = scored_labels(rows, services.settings.risk)
    for label in LABELS:
        trial = _trial(services, sessions, label)
        if label in scored:
            walked = _beside_base_rate(scored[label], panel)
            yield replace(trial, scores=scores_of(walked)), losses_of(walked)
        else:
            yield trial, pd.DataFrame({"log_loss": [], "base_log_loss": []})


def _beside_base_rate(said: Scored, panel: Panel) -> Walked:
    """With the share of ups so far, of each symbol, from the panel's labels."""
    outcome = panel.labels[:, :, LABELS.index(said.label)].astype(np.float64)
    unknown = np.full(outcome.shape, np.nan)
    history = History(said.label, panel.sessions, panel.symbols, outcome, unknown, said.horizon)
    return Walked(said, said.saying(base_rate(said, history)).where(np.isfinite(said.probability)))


def _trial(services: Services, sessions: pd.DatetimeIndex, label: str) -> Trial:
    recipe, now = services.recipe(), services.clock.now()
    return Trial(
        trial_id=f"backtest-{recipe.digest()}-{label}",
        kind="backtest",
        study=recipe.digest(),
        number=0,
        state=TrialState.COMPLETE,
        digest=recipe.digest(),
        settings=recipe.ensemble.model_dump(mode="json"),
        label=label,
        first_session=sessions[0].date(),
        last_session=sessions[-1].date(),
        started_at=now,
        code_version=recipe.code_version,
        finished_at=now,
    )
