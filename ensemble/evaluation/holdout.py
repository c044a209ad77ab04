"""Sessions that nothing is chosen by: the [evaluation] table, and the cut before them."""

from datetime import date

import numpy as np
import pandas as pd
from pydantic import Field

from ensemble.labels import LABELS, label_horizon
from ensemble.options import Options
from ensemble.trading.limits import RiskLimits


class EvaluationOptions(Options):
    """The [evaluation] table: what is held out, and for which experiment it may be opened."""

    holdout_from: date | None = Field(
        None, description="first session that sweep never touches and evaluate opens once an experiment"
    )
    experiment: str | None = Field(
        None, min_length=1, max_length=80, description="name of the experiment that the hold-out is opened for"
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
