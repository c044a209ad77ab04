"""Sessions that nothing is chosen by: the [evaluation] table, and the cut before them."""

from datetime import date

import pandas as pd
from pydantic import Field

from ensemble.options import Options


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


def before_holdout(rows: pd.DataFrame, holdout_from: date | None) -> pd.DataFrame:
    """The rows whose `session` lies before the hold-out; all of them without one."""
    return rows if holdout_from is None else rows[rows["session"] < pd.Timestamp(holdout_from)]
