"""The [report] table: whether and how the report is kept up to date."""

from datetime import date, timedelta
from pathlib import Path

from pydantic import Field

from ensemble.options import Options

DAYS_A_YEAR = 365.25


class ReportOptions(Options):
    """The [report] table."""

    enabled: bool = Field(
        default=True, description="whether the report is written after each session; `report` writes it whenever asked"
    )
    years: float = Field(default=3.0, gt=0, le=50, description="how far back it looks, years")
    file: Path | None = Field(default=None, description="the file, if it is not report.html in state_dir")

    def path(self, state_dir: Path) -> Path:
        """Where the daemon keeps it."""
        return self.file or state_dir / "report.html"

    def first(self, last: date) -> date:
        """The first day shown where `last` is the last."""
        days = round(self.years * DAYS_A_YEAR)
        return last - timedelta(days=min(days, (last - date.min).days))
