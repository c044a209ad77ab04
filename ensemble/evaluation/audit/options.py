"""The [audit] table."""

from pathlib import Path

from pydantic import Field

from ensemble.options import Options


class AuditOptions(Options):
    """What is audited besides the program's own features."""

    features: Path | None = Field(
        None,
        description="Python file whose function features(market) gives features of one's own, audited with the rest",
    )
