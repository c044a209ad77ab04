"""The database opened by the one instance that works on it: a damaged file is replaced first, an old schema upgraded.

What is put aside is never deleted, and only what SQLite calls damage is put aside: a database that is locked, can't be
read or has no room left is complained about and stays.
"""

import stat
from datetime import datetime
from pathlib import Path

from loguru import logger
from sqlalchemy import Engine

from daemon.clock import Clock
from daemon.config.settings import StorageOptions
from daemon.errors import AlreadyRunning
from daemon.instance import this_instance
from storage.backups import STAMP, Backup, BackupError, back_up, backups_in, in_a_line
from storage.cloud.rebuild import State, finish
from storage.engine import OldSchema, database_file, open_store, patience_s
from storage.errors import HeldElsewhere, StoreError
from storage.group_read import let_group_read
from storage.restoring import check_restorable, finish_restore, restore, set_aside
from storage.sqlite_file import WAIT_S, damage_of

_REPLACED = (
    "database: damaged ({}): it is now {}, and the backup {} took its place; what came after session {} is done again"
)
_BEGUN_ANEW = (
    "database: damaged ({}), and no whole backup in {}: it is now {}, and a new one begins; bars come again from the "
    "feed, what was forecast, decided and held before is not in it"
)
_MISSING = (
    "database: {} is not there although there are backups, and a new one begins; to have the old one back, stop and "
    "`db restore {}`"
)


def open_database(storage: StorageOptions, clock: Clock) -> Engine:
    """The database, whole and of today's schema. Call it with the instance lock held.

    Raises StoreError, and AlreadyRunning where another host works on the same database of a server.
    """
    file = database_file(storage.database_url)
    if finish(rebuilt_state(storage), at=clock.now()):
        logger.warning("state: a restore from the bucket that was cut short was finished")
    if file is not None:
        try:
            _recover(file, storage, clock.now())
        except OSError as error:
            raise StoreError(
                f"{error.filename or file} can't be read or moved ({in_a_line(error)}); mend the rights of the "
                "database's folder and of the backups'."
            ) from error
        _back_up_old_schema(file, storage, clock.now())
    engine = open_alone(storage)
    if file is not None:
        _set_rights(file, storage)
    return engine


def rebuilt_state(storage: StorageOptions) -> State:
    """What `restore --from-cloud` fills."""
    return State(storage.state_dir, storage.models_dir, database_file(storage.database_url))


def _set_rights(file: Path, storage: StorageOptions) -> None:
    """May the group read? The state's folder may stay open to it: what is in it is for its owner alone."""
    try:
        let_group_read(file, allowed=storage.group_read)
        if storage.group_read and file.parent == storage.state_dir:
            storage.state_dir.chmod(stat.S_IMODE(storage.state_dir.stat().st_mode) | stat.S_IRGRP | stat.S_IXGRP)
    except OSError as error:
        logger.warning("database: the rights of its group were not set ({}); do it as the owner of the files", error)


def open_alone(storage: StorageOptions) -> Engine:
    """The database as it is, with today's schema, and none of a server's other clients at work on it as this one is."""
    try:
        return open_store(storage.database_url, owner=this_instance(), group_read=storage.group_read)
    except HeldElsewhere as error:
        raise AlreadyRunning(str(error)) from error


def _recover(file: Path, storage: StorageOptions, now: datetime) -> None:
    """Leaves a whole database, or none."""
    backups, finished = storage.backups, finish_restore(file)
    if finished:
        logger.warning("database: a restore that was cut short was finished; what was there before is {}", finished)
    if not file.exists():
        _say_missing(file, backups, now)
        return
    damage = damage_of(file, wait_s=min(WAIT_S, patience_s(storage.database_url)))
    if damage is None or (file.stat().st_size == 0 and not backups_in(backups)):
        return  # an empty file is what SQLite makes of a new one
    backup = _newest_whole(backups)
    if backup is None:
        logger.error(_BEGUN_ANEW, damage, backups, set_aside(file, f"damaged-{now:{STAMP}}"))
        return
    try:
        aside = restore(backup.path, file, at=now, why="damaged")
    except BackupError as error:
        raise StoreError(f"{file} is damaged ({damage}), and nothing was moved: {error}") from error
    logger.error(_REPLACED, damage, aside, backup.path.name, backup.session or "none")


def _say_missing(file: Path, backups: Path, now: datetime) -> None:
    set_aside(file, f"left-over-{now:{STAMP}}")  # a log without its database, which SQLite would throw away
    newest = next(iter(backups_in(backups)), None)
    if newest is not None:
        logger.error(_MISSING, file, newest.path)


def _newest_whole(folder: Path) -> Backup | None:
    for backup in backups_in(folder):
        try:
            check_restorable(backup.path)
        except BackupError as error:
            logger.warning("database: {}", error)
        else:
            return backup
    return None


def _back_up_old_schema(file: Path, storage: StorageOptions, now: datetime) -> None:
    """The upgrade is one transaction: it goes on without a backup if none can be made."""
    if not file.exists() or file.stat().st_size == 0:
        return
    try:
        open_store(storage.database_url, read_only=True).dispose()
    except OldSchema:
        try:
            made = back_up(file, storage.backups, at=now, keep=storage.backups_kept)
            logger.info("database: its schema is upgraded; a backup of it as it was is {}", made.path)
        except BackupError as error:
            logger.warning("database: its schema is upgraded without a backup: {}", error)
    except StoreError:
        pass  # whoever opens it for writing hears why
