"""The [drift] table."""

from typing import Literal

from pydantic import Field

from ensemble.options import Options


class DriftOptions(Options):
    """What happens when live forecasts lose more than they said they would, or no longer look as they did."""

    policy: Literal["warn", "raise", "halve", "hold"] = Field(
        default="warn", description="whether it is told alone, more is asked, less is risked, or nothing is entered"
    )
    false_alarm_sessions: int = Field(
        default=2500, ge=100, le=1_000_000, description="sessions that a false alarm takes at least, on average"
    )
    early_retrain: bool = Field(
        default=False, description="whether the first alarm in a month has a new version made before the month turns"
    )
