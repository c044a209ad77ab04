"""A checked backup after each settled session: once, when nothing else is waiting, and at no session's cost."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

import pandas as pd
from loguru import logger

from storage.backups import back_up, backups_in
from storage.engine import database_file, reading
from storage.run_store import newest_done
from storage.tables import LIVE

if TYPE_CHECKING:
    from daemon.services import Services

CLEAR_OF_WORK = timedelta(minutes=5)
"""A backup of a big database takes seconds; none is begun shortly before something falls due."""
RETRY_AFTER = timedelta(hours=1)


@dataclass
class NightlyBackup:
    """What this process knows of the backups; the rest is in their names."""

    _covered: date | None = None
    _failed_at: datetime | None = None

    def make_if_due(self, services: "Services", *, next_wake: pd.Timestamp) -> None:
        """Makes one if the newest settled session is in none yet. A failure is one line, and an hour's wait."""
        storage, now = services.settings.storage, services.clock.now()
        file = database_file(storage.database_url)
        if file is None or storage.backups_kept == 0 or next_wake - pd.Timestamp(now) < CLEAR_OF_WORK:
            return
        if self._failed_at is not None and timedelta(0) <= now - self._failed_at < RETRY_AFTER:
            return
        try:
            session = self._uncovered(services)
            if session is not None:
                made = back_up(file, storage.backups, at=now, keep=storage.backups_kept)
                logger.info("backup: {}, {:.1f} MB, checked", made.path, made.size_bytes / 1e6)
                self._covered = session
            self._failed_at = None
        except Exception as error:  # whatever it is, the sessions go on
            self._failed_at = now
            logger.error("backup: {}", error)

    def _uncovered(self, services: "Services") -> date | None:
        """The newest settled session, None when a backup has it."""
        with reading(services.engine) as conn:
            settled = newest_done(conn, LIVE, "settle")
        if settled is None or settled == self._covered:
            return None
        if any(backup.session == settled for backup in backups_in(services.settings.storage.backups)):
            self._covered = settled
        return None if self._covered == settled else settled
