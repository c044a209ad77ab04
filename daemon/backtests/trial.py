"""A backtest is a trial too: whoever replays ten configurations and keeps the best has chosen among ten."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from sqlalchemy import Connection

from daemon.services import Services
from daemon.sweeps.trial_scores import Walked, losses_of, scores_of
from ensemble.evaluation.baselines import base_rate
from ensemble.evaluation.history import History
from ensemble.evaluation.scored import Scored, scored_labels
from ensemble.labels import LABELS
from ensemble.panel import Panel
from storage.trial_store import TRADED, Trial, TrialState, read_trials

NO_LOSSES = pd.DataFrame({"log_loss": [], "base_log_loss": []})


def trials_of_backtest(
    conn: Connection, services: Services, panel: Panel, rows: pd.DataFrame, *, sessions: pd.DatetimeIndex
) -> Iterator[tuple[Trial, pd.DataFrame]]:
    """What the ledger says of a replay of `sessions`: a trial for each label, and its losses as `losses_of` gives them.

    `rows` are the forecasts that may be looked at: session, symbol, label, probability, outcome. The labels of one
    recipe are one configuration, and the same recipe over another range is the same trial: where nothing of this range
    may be looked at, it stays as one that reached further was scored. The ways in which its forecasts were ever traded
    are kept with each.
    """
    earlier = {one.trial_id: one for one in read_trials(conn, study=services.recipe().digest())}
    scored, traded = scored_labels(rows, services.settings.labels.barrier.limits), _traded(earlier.values(), services)
    for label in LABELS:
        trial, losses = _trial(services, sessions, label, traded), NO_LOSSES
        if label in scored:
            walked = _beside_base_rate(scored[label], panel)
            trial, losses = replace(trial, scores=scores_of(walked)), losses_of(walked)
        yield _or_as_scored_before(trial, earlier.get(trial.trial_id)), losses


def _or_as_scored_before(trial: Trial, before: Trial | None) -> Trial:
    if trial.scores.sessions or before is None:
        return trial
    if trial.first_session <= before.first_session and before.last_session <= trial.last_session:
        return trial  # it was this range, and may not be looked at any more
    return replace(trial, scores=before.scores, first_session=before.first_session, last_session=before.last_session)


def _beside_base_rate(said: Scored, panel: Panel) -> Walked:
    """With the share of ups so far, of each symbol, from the panel's labels."""
    outcome = panel.labels[:, :, LABELS.index(said.label)].astype(np.float64)
    unknown = np.full(outcome.shape, np.nan)
    history = History(said.label, panel.sessions, panel.symbols, outcome, unknown, said.horizon)
    return Walked(said, said.saying(base_rate(said, history)).where(np.isfinite(said.probability)))


def _trial(services: Services, sessions: pd.DatetimeIndex, label: str, traded: Sequence[Mapping[str, Any]]) -> Trial:
    recipe, now = services.recipe(), services.clock.now()
    return Trial(
        trial_id=f"backtest-{recipe.digest()}-{label}",
        kind="backtest",
        study=recipe.digest(),
        number=0,
        state=TrialState.COMPLETE,
        digest=recipe.digest(),
        settings=recipe.ensemble.model_dump(mode="json") | {TRADED: traded},
        label=label,
        first_session=sessions[0].date(),
        last_session=sessions[-1].date(),
        started_at=now,
        code_version=recipe.code_version,
        finished_at=now,
    )


def _traded(earlier: Iterable[Trial], services: Services) -> Sequence[Mapping[str, Any]]:
    """The present way of trading after those that the ledger has, unless it is one of them."""
    settings = services.settings
    tables = {"signals": settings.signals, "risk": settings.risk, "costs": settings.costs}
    present = {name: table.model_dump(mode="json") for name, table in tables.items()}
    ways: list[Mapping[str, Any]] = []
    for trial in earlier:
        ways += [way for way in trial.settings.get(TRADED, []) if way not in ways]
    return ways if present in ways else [*ways, present]
