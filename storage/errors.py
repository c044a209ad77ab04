"""What can be wrong with a database, in one line that names it and says what to do."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import URL
from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError, InternalError, OperationalError

from storage.secret_urls import PARAMETER


class StoreError(RuntimeError):
    """The database can't be used as asked; the message gives its URL, what is wrong and the remedy."""


class DamagedStore(StoreError):
    """The database's file is broken: `run` and `run-once` put the newest backup in its place when they start."""


class GoneStore(StoreError):
    """The database was taken away, or another put in its place, while it was open: what is written now is lost."""


class OldSchema(StoreError):
    """The database is of an earlier version of this program, and was opened for looking only."""


class HeldElsewhere(StoreError):
    """Another instance, on this host or another, works on the same database of a server."""


READ_ONLY = (
    "is read-only ({0}); the file and its folder must be writable: give this user write permission, "
    "or set storage.url to another place."
)
CANT_OPEN = (
    "can't be opened ({0}); its folder must exist and be readable: check the path and its permissions, "
    "or set storage.url to another place."
)
MAY_NOT_LOOK = (
    "can't be looked at by this user ({0}); look as the user who runs the daemon, or set storage.group_read = true, "
    "start the daemon once, and be of its group."
)
GONE = "was moved, removed or replaced while it was open; start again, which opens what is there now."
_DAMAGED = (
    "is damaged or no database ({0}); the next start of `run` or `run-once` moves it aside and restores the newest "
    "backup."
)
_LOCKED = (
    "stayed locked by another program ({0}); end that program, or a SQL shell with an open transaction, and try again."
)
_FULL = "can't grow ({0}); free some space on its disk and try again."
_SQLITE_FAULTS = {
    "SQLITE_READONLY": READ_ONLY,
    "SQLITE_PERM": READ_ONLY,
    "SQLITE_CANTOPEN": CANT_OPEN,
    "SQLITE_BUSY": _LOCKED,
    "SQLITE_NOTADB": _DAMAGED,
    "SQLITE_CORRUPT": _DAMAGED,
    "SQLITE_FULL": _FULL,
    "SQLITE_IOERR": "met a disk error ({0}); check the disk and its free space, then try again.",
}
_REFUSED = "refused a row ({0}); nothing of this step was kept. It is a defect of the program: please report it."
_SERVER = "can't be used ({0}); check that the database server runs and that storage.url is right."
_FORBIDDEN = (
    "may not be used so ({0}); give its role the rights listed in docs/postgresql.md, "
    "or name another role in storage.url."
)
_SERVER_DAMAGED = "is damaged on its server ({0}); stop the daemon and restore a dump into a new database."
_IN_THE_WAY = (
    "can't be upgraded ({0}); drop what stands on the daemon's tables and views, and make it again afterwards."
)
# By SQLSTATE, https://www.postgresql.org/docs/current/errcodes-appendix.html; a class is its first two characters.
_SERVER_FAULTS = {
    "42501": _FORBIDDEN,
    "25006": _FORBIDDEN,
    "55P03": _LOCKED,
    "53100": _FULL,
    "2BP01": _IN_THE_WAY,
    "22": _REFUSED,
    "23": _REFUSED,
    "XX": _SERVER_DAMAGED,
}


def store_error(url: URL, fault: str, *said: object, kind: type[StoreError] = StoreError) -> StoreError:
    """A StoreError about this database; a password in its URL is not shown."""
    kind = DamagedStore if fault is _DAMAGED else GoneStore if fault is GONE else kind
    return kind(f"storage.url {shown(url)} {fault.format(*said)}")


def shown(url: URL) -> str:
    """The URL without its passwords, wherever in it they stand."""
    return PARAMETER.sub(r"\1***", url.render_as_string(hide_password=True))


def is_damage(error: sqlite3.Error) -> bool:
    """SQLite says that the file itself is broken, or no database; a lock, a disk without room and the like may pass."""
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


@contextmanager
def plain_errors(url: URL, *, looking: bool = False) -> Iterator[None]:
    """Turns what a driver says of the database's state into a StoreError; faulty SQL stays as it is.

    Who is only `looking` is told how to get the right to look, not the right to write.
    """
    try:
        yield
    except (DBAPIError, sqlite3.Error) as error:
        cause = error.orig if isinstance(error, DBAPIError) else error
        fault = _sqlite_fault(url, cause) if isinstance(cause, sqlite3.Error) else _server_fault(error)
        if fault is None:
            raise
        if looking and fault in (READ_ONLY, CANT_OPEN):
            fault = MAY_NOT_LOOK
        raise store_error(url, fault, str(cause).strip().partition("\n")[0]) from error


def _sqlite_fault(url: URL, cause: sqlite3.Error) -> str | None:
    if isinstance(cause, sqlite3.IntegrityError):
        return _REFUSED
    name = getattr(cause, "sqlite_errorname", None) or ""
    fault = next((fault for prefix, fault in _SQLITE_FAULTS.items() if name.startswith(prefix)), None)
    # In a folder it may not write to, SQLite says only that it can't open the file.
    return READ_ONLY if fault is CANT_OPEN and _is_unwritable(url) else fault


def _is_unwritable(url: URL) -> bool:
    folder = Path(url.database or "").parent
    return os.access(folder, os.X_OK, effective_ids=True) and not os.access(folder, os.W_OK, effective_ids=True)


def _server_fault(error: DBAPIError | sqlite3.Error) -> str | None:
    state = getattr(getattr(error, "orig", None), "sqlstate", None) or ""
    fault = _SERVER_FAULTS.get(state) or _SERVER_FAULTS.get(state[:2])
    if fault is None and isinstance(error, IntegrityError):
        return _REFUSED
    # InterfaceError: what the driver says of a session that the server ended before.
    of_the_server = isinstance(error, (OperationalError, InternalError, InterfaceError))
    return fault or (_SERVER if of_the_server else None)
