"""Another database put in the place of the present one, which is moved aside and never deleted.

A restore counts from the moment that its file has the name DATABASE.restoring-SUFFIX: by then it is whole, checked, of
today's schema and on the disk. What is left is renaming; whoever opens the database next does that after a kill.
"""

import shutil
import sqlite3
from datetime import datetime
from pathlib import Path

from storage.backups import STAMP, BackupError, check_backup, in_a_line, sqlite_url
from storage.durable import give_to_owner, sync_folder
from storage.engine import StoreError, open_store
from storage.migrations import HEAD_REVISION, is_known
from storage.sqlite_file import BELONGING, copy_whole, damage_of, move_aside, opened, rest, sync_file

_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def restore(file: Path, database: Path, *, at: datetime, why: str) -> Path | None:
    """Puts a copy of the backup `file` in the place of `database`; returns where that was moved to, if there was one.

    `why` becomes part of that name: "before-restore", "damaged". Call it where nobody else writes. Raises BackupError,
    and changes nothing: unusable backup, newer schema, no room, the database open in another program.
    """
    finish_restore(database)
    check_restorable(file)
    draft = _draft(database)
    try:
        database.parent.mkdir(parents=True, exist_ok=True)
        try:
            _prepare(file, draft, database)
            _take_from_others(database)
            draft.rename(f"{_pending_stem(database)}{why}-{at:{STAMP}}")
        finally:
            _remove(draft)
        sync_folder(database.parent)
    except BackupError:
        raise
    except (OSError, sqlite3.Error, StoreError) as error:
        raise BackupError(
            f"{file} was not restored to {database} ({in_a_line(error)}); "
            "check that the folder of the database is writable and has room."
        ) from error
    return finish_restore(database)


def finish_restore(database: Path) -> Path | None:
    """Ends a restore that was cut short, if there is one; returns where the database before it was moved to."""
    _remove(_draft(database))
    stem, aside = Path(_pending_stem(database)).name, None
    folder = database.parent
    for pending in [path for path in folder.iterdir() if path.name.startswith(stem)] if folder.is_dir() else []:
        aside = set_aside(database, pending.name.removeprefix(stem))
        pending.rename(database)
        sync_folder(folder)
    return aside


def set_aside(database: Path, suffix: str) -> Path | None:
    """Moves the database and what belongs to it to DATABASE.SUFFIX; None where there is nothing to move.

    Called again after a kill, it goes on under the same name; what has that name from another time stays.
    """
    if not any(map(Path.exists, _parts(database))):
        return None
    aside, number = Path(f"{database}.{suffix}"), 1
    while any(here.exists() and there.exists() for here, there in zip(_parts(database), _parts(aside), strict=True)):
        number += 1
        aside = Path(f"{database}.{suffix}-{number}")
    move_aside(database, aside)
    sync_folder(database.parent)
    return aside


def check_restorable(file: Path) -> None:
    """Raises BackupError, with the remedy, for what is no whole backup or has a schema newer than the program's."""
    schema = check_backup(file)
    if not is_known(schema):
        raise BackupError(
            f"backup {file} has schema {schema}, newer than the {HEAD_REVISION} of this program; "
            "install the newer reliance-daemon, or take an older backup."
        )


def _prepare(file: Path, draft: Path, database: Path) -> None:
    """The file as it will be used: whole, upgraded, with the rights of the database before it, on the disk."""
    copy_whole(file, draft)
    open_store(sqlite_url(draft)).dispose()
    with opened(draft, mode="rw") as connection:
        rest(connection)
    if database.exists():
        shutil.copymode(database, draft)
    give_to_owner(draft)
    sync_file(draft)


def _take_from_others(database: Path) -> None:
    """Whoever has it open would go on with the file moved aside, and take the new one's log away when it ends."""
    if not database.exists() or damage_of(database):
        return  # what is damaged is moved aside as it is
    try:
        with opened(database, mode="rw") as connection:
            rest(connection)
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in _BUSY:
            raise BackupError(
                f"{database} is open in another program; end that program, or close its connection, and try again."
            ) from error


def _parts(database: Path) -> list[Path]:
    return [Path(f"{database}{end}") for end in BELONGING]


def _pending_stem(database: Path) -> str:
    return f"{database}.restoring-"


def _draft(database: Path) -> Path:
    return database.with_name(f".draft-{database.name}")


def _remove(draft: Path) -> None:
    for part in _parts(draft):
        part.unlink(missing_ok=True)
