"""A backtest is a trial too: whoever replays ten configurations and keeps the best has chosen among ten."""

import pandas as pd

from daemon.services import Services
from storage.trial_store import Trial, TrialScores, TrialState


def trial_of_backtest(services: Services, sessions: pd.DatetimeIndex) -> Trial:
    """What the ledger says of a replay of `sessions`; the same recipe over another range is the same trial."""
    recipe, now = services.recipe(), services.clock.now()
    return Trial(
        trial_id=f"backtest-{recipe.digest()}",
        kind="backtest",
        study=recipe.digest(),
        number=0,
        state=TrialState.COMPLETE,
        digest=recipe.digest(),
        settings=recipe.ensemble.model_dump(mode="json"),
        label=None,
        first_session=sessions[0].date(),
        last_session=sessions[-1].date(),
        started_at=now,
        code_version=recipe.code_version,
        scores=TrialScores(sessions=len(sessions)),
        finished_at=now,
    )
