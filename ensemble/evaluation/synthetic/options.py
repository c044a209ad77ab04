"""What kind of market is made up."""

from datetime import date

import pandas as pd
from pydantic import Field

from ensemble.options import Options


class SyntheticOptions(Options):
    """A market of the NSE's sessions; the same options give the same market. Raises pydantic.ValidationError."""

    auc: float = Field(
        0.65, ge=0.5, le=0.9, description="area under the ROC curve of the best possible forecast; 0.5 is a null market"
    )
    years: int = Field(15, ge=1, le=40, description="length of the history, years")
    symbols: int = Field(1, ge=1, le=200, description="stocks that are alike and move together, count")
    seed: int = Field(0, ge=0, le=2**32 - 1, description="which market of this kind")
    last: date = Field(date(2021, 12, 31), ge=date(2020, 1, 1), description="no session is later than this")

    @property
    def first(self) -> date:
        """No session is earlier than this."""
        return (pd.Timestamp(self.last) - pd.DateOffset(years=self.years) + pd.Timedelta(days=1)).date()
