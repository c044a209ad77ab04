"""A backtest is a trial too: whoever replays ten configurations and keeps the best has chosen among ten."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from sqlalchemy import Connection

from daemon.services import Services
from storage.trial_store import TRADED, Trial, TrialScores, TrialState, read_trials


def trial_of_backtest(conn: Connection, services: Services, sessions: pd.DatetimeIndex) -> Trial:
    """What the ledger says of a replay of `sessions`; the same recipe over another range is the same trial.

    The ways in which its forecasts were ever traded are kept with it.
    """
    recipe, now = services.recipe(), services.clock.now()
    return Trial(
        trial_id=f"backtest-{recipe.digest()}",
        kind="backtest",
        study=recipe.digest(),
        number=0,
        state=TrialState.COMPLETE,
        digest=recipe.digest(),
        settings=recipe.ensemble.model_dump(mode="json") | {TRADED: _traded(conn, services)},
        label=None,
        first_session=sessions[0].date(),
        last_session=sessions[-1].date(),
        started_at=now,
        code_version=recipe.code_version,
        scores=TrialScores(sessions=len(sessions)),
        finished_at=now,
    )


def _traded(conn: Connection, services: Services) -> Sequence[Mapping[str, Any]]:
    """The present way of trading after those that the ledger has, unless it is one of them."""
    settings = services.settings
    tables = {"signals": settings.signals, "risk": settings.risk, "costs": settings.costs}
    present = {name: table.model_dump(mode="json") for name, table in tables.items()}
    earlier = [
        way for one in read_trials(conn, study=services.recipe().digest()) for way in one.settings.get(TRADED, [])
    ]
    return earlier if present in earlier else [*earlier, present]
