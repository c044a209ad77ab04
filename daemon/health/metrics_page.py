"""What a monitor is shown: the state after the last reconciliation, as a file and, if asked for, on a loopback port."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from loguru import logger

if TYPE_CHECKING:
    from daemon.health.snapshot import Snapshot
    from daemon.services import Services


@dataclass
class MetricsPage:
    """The newest snapshot; what shows it reads it here."""

    snapshot: "Snapshot | None" = None
    _said: str | None = field(default=None, repr=False)
    """What was wrong the last time: said once, not every minute."""

    def publish(self, services: "Services") -> None:
        """Takes a snapshot and writes the file. Whatever is wrong with that is a line in the log; work goes on."""
        try:
            from daemon.health.metrics import write_metrics
            from daemon.health.snapshot import take_snapshot

            self.snapshot = take_snapshot(services)
            write_metrics(self.snapshot, services.settings)
            self._said = None
        except Exception as error:
            wrong = f"metrics: {type(error).__name__}: {error}"
            if wrong != self._said:
                logger.error("{}", wrong)
            self._said = wrong
