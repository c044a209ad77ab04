"""The [evaluation] table, and the cut before the sessions that nothing is chosen by."""

from datetime import date

import numpy as np
import pandas as pd
from pydantic import Field

from ensemble.labels import LABELS, label_horizon
from ensemble.options import Options
from ensemble.trading.limits import RiskLimits


class EvaluationOptions(Options):
    """The [evaluation] table: what is held out, for which experiment it may be opened, and what money earns at rest."""

    holdout_from: date | None = Field(
        None, description="first session that sweep never touches and evaluate opens once an experiment"
    )
    experiment: str | None = Field(
        None, min_length=1, max_length=80, description="name of the experiment that the hold-out is opened for"
    )

    risk_free_pct: float = Field(
        default=0.0, ge=0, le=50, description="what Sharpe and Sortino ratio count from, per cent a year"
    )

    def last_open(self, last: date) -> date:
        """`last`, or the day before the hold-out where that comes earlier."""
        if self.holdout_from is None:
            return last
        return min(last, (pd.Timestamp(self.holdout_from) - pd.Timedelta(days=1)).date())


def before_holdout(
    rows: pd.DataFrame, holdout_from: date | None, *, sessions: pd.DatetimeIndex, limits: RiskLimits
) -> pd.DataFrame:
    """The rows whose `session` lies before the hold-out, outcomes that lie in it unknown; all as they are without one.

    One row a forecast: session, label, outcome. `sessions` are the exchange's, in order. Left out is what may reach so
    far: outcomes that came early, at a stop or a target, would be a biased sample.
    """
    if holdout_from is None:
        return rows
    seen = rows[rows["session"] < pd.Timestamp(holdout_from)]
    horizons = {label: label_horizon(label, limits) for label in LABELS}
    ends = sessions.searchsorted(pd.DatetimeIndex(seen["session"])) + seen["label"].map(horizons).to_numpy(np.int64)
    return seen.assign(outcome=seen["outcome"].where(ends < sessions.searchsorted(pd.Timestamp(holdout_from))))
