"""What the command line of `make bench` decides."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Options:
    """How much is measured, and with what. None leaves the choice to the benchmark."""

    full: bool = False
    repetitions: int | None = None
    months: int | None = None
    torch_python: Path | None = None
    state: Path | None = None

    def pick(self, default: int, full: int) -> int:
        """One of two sizes."""
        return full if self.full else default
