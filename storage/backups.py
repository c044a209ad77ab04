"""Backups of a SQLite database: each one checked file, made while others write, named by what is in it and when."""

import fcntl
import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from sqlalchemy import URL

from storage.durable import give_to_owner, sync_folder
from storage.errors import StoreError, is_damage
from storage.sqlite_file import copy_whole, faults_of, opened

_NAME = re.compile(r"signals-(?P<session>\d{4}-\d\d-\d\d|empty)-at-(?P<made_at>\d{8}T\d{6}Z)\.db")
STAMP = "%Y%m%dT%H%M%SZ"
_DRAFT = ".draft-"
_NEWEST_SETTLED = """
SELECT max(session) FROM runs WHERE origin = 'live' AND kind = 'settle' AND status IN ('done', 'no_data')
"""


class BackupError(StoreError):
    """A backup can't be made or used; the message says what is wrong and the remedy."""


@dataclass(frozen=True, slots=True)
class Backup:
    """One backup at rest."""

    path: Path
    session: date | None
    """The newest session that it has settled; None for one made before the first."""
    made_at: datetime

    @property
    def size_bytes(self) -> int:
        """Of its file."""
        return self.path.stat().st_size


def sqlite_url(path: Path) -> str:
    """The URL of a SQLite file."""
    return URL.create("sqlite", database=str(path)).render_as_string()


def backups_in(folder: Path) -> list[Backup]:
    """Those in the folder, what knows the newest session first; a clock that was wrong changes nothing in that."""
    with suppress(FileNotFoundError, NotADirectoryError):
        found = [backup for path in folder.iterdir() if (backup := backup_named(path)) is not None]
        return sorted(found, key=lambda one: (one.session or date.min, one.made_at), reverse=True)
    return []


def back_up(database: Path, folder: Path, *, at: datetime, keep: int) -> Backup:
    """Makes a backup and then removes all but the `keep` newest; 0 keeps every one.

    A kill or a power cut at any point leaves the earlier backups and at most a draft, which the next call removes.
    Raises BackupError: missing or damaged database, full or read-only folder, another backup under way.
    """
    try:
        if not folder.exists():
            folder.mkdir(parents=True)
            give_to_owner(folder)
        with _alone(folder):
            _remove_drafts(folder)
            try:
                made = _made(database, folder, at)
            finally:
                _remove_drafts(folder)
            older = [one for one in backups_in(folder) if one.path != made.path]
            for one in older[keep - 1 :] if keep else []:
                one.path.unlink()
    except (OSError, sqlite3.Error) as error:
        raise BackupError(
            f"{database.name} was not backed up to {folder} ({in_a_line(error)}); {_remedy(error)}"
        ) from error
    return made


def backup_named(path: Path) -> Backup | None:
    """The backup that the file's name says it is; None for any other name."""
    name = _NAME.fullmatch(path.name)
    if name is None:
        return None
    session = None if name["session"] == "empty" else date.fromisoformat(name["session"])
    return Backup(path, session, datetime.strptime(name["made_at"], STAMP).replace(tzinfo=UTC))


def check_backup(path: Path) -> str:
    """The schema of a file that a database can be restored from. Raises BackupError for any other."""
    if not path.is_file():
        raise BackupError(f"backup {path} was not found; give the path of a backup.")
    try:
        with opened(path) as connection:
            said = faults_of(connection)
            schema = None if said else _schema(connection)
    except sqlite3.Error as error:
        raise BackupError(f"backup {path} can't be used ({in_a_line(error)}); take an older one.") from error
    if said:
        raise BackupError(f"backup {path} is damaged ({said}); take an older one.")
    if schema is None:
        raise BackupError(f"backup {path} is no database of reliance-daemon; take another file.")
    return schema


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Holds the folder's lock, which ends with the process. Raises BackupError while another process has it."""
    with (folder / ".lock").open("a") as file:
        give_to_owner(folder / ".lock")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BackupError(f"another process is making a backup in {folder}; try again when it is done.") from None
        yield


def _made(database: Path, folder: Path, at: datetime) -> Backup:
    draft = folder / f"{_DRAFT}{at:{STAMP}}.db"
    copy_whole(database, draft)
    with opened(draft) as connection:
        session = _newest_settled(connection)
    backup = Backup(folder / f"signals-{session or 'empty'}-at-{at.astimezone(UTC):{STAMP}}.db", session, at)
    give_to_owner(draft)
    draft.replace(backup.path)
    sync_folder(folder)
    return backup


def _newest_settled(connection: sqlite3.Connection) -> date | None:
    (session,) = connection.execute(_NEWEST_SETTLED).fetchone()
    return None if session is None else date.fromisoformat(session)


def _schema(connection: sqlite3.Connection) -> str | None:
    if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'").fetchone():
        return None
    row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return None if row is None else str(row[0])


def _remove_drafts(folder: Path) -> None:
    for path in folder.glob(f"{_DRAFT}*"):
        path.unlink()


def in_a_line(error: Exception) -> str:
    """What the system or SQLite says, without a line break."""
    said = error.strerror if isinstance(error, OSError) else str(error)
    return " ".join(str(said).split())


def _remedy(error: Exception) -> str:
    if isinstance(error, sqlite3.OperationalError | OSError):
        return "check that the database is there, and that its folder and the backups' are writable and have room."
    damaged = isinstance(error, sqlite3.Error) and (is_damage(error) or type(error) is sqlite3.DatabaseError)
    return "look with `db check`." if damaged else "try again."
