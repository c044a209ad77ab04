"""The [health] table."""

from pydantic import Field

from daemon.config.secrets import SECRET
from ensemble.options import Options


class HealthOptions(Options):
    """When the daemon counts as well, and who hears that it lives."""

    grace_min: int = Field(
        default=15, ge=1, le=1440, description="how long after it fell due a decision may be missing, minutes"
    )
    ping_url: str | None = Field(
        default=None,
        pattern=r"^https?://.",
        description="a page that is fetched after each decision, a dead man's switch",
        json_schema_extra=SECRET,
    )
