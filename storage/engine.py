"""The database: opened, brought up to date, and given out in transactions.

SQLite keeps one file in WAL mode, so that whoever reads never waits for the daemon; PostgreSQL is used by its
URL. Either way there is one writer at a time, and nothing changes between a writer's reads and its commit.
"""

import math
import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Dialect, Engine, create_engine, event, inspect, make_url, text
from sqlalchemy.engine.interfaces import DBAPIConnection, DBAPICursor
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlalchemy.pool import ConnectionPoolEntry

from storage.errors import (
    CANT_OPEN,
    GONE,
    MAY_NOT_LOOK,
    READ_ONLY,
    OldSchema,
    StoreError,
    plain_errors,
    shown,
    store_error,
)
from storage.group_read import leave_readable
from storage.migrations import HEAD_REVISION, is_known, upgrade
from storage.secret_urls import PARAMETER
from storage.server import InstanceLock, keep_writers_out, server_arguments, set_up_session, takes_sessions
from storage.sqlite_file import looking_uri

__all__ = ["OldSchema", "StoreError", "open_store", "reading", "transaction"]

WAL_RETRY_S = 0.01
KEPT_WAL_BYTES = 8 << 20
"""Twice what SQLite lets it grow to by itself; a reader who stays holds it open, and what it grew to beyond is cut off
at the first commit after the reader has gone.
"""
BUSY_TIMEOUT_S = 30.0
"""How long to wait for another writer; `?timeout=5` at the end of storage.url sets another."""

_NEWER_SCHEMA = "has schema {0}, newer than the {1} of this program; install the newer reliance-daemon again."
_OLDER_SCHEMA = "has schema {0}, older than the {1} of this program; `reliance-daemon db upgrade` upgrades it."
_FOREIGN_SCHEMA = "can't be upgraded ({0}); it is not as reliance-daemon left it: restore a backup, or move it away."

# Changes nothing, and yet fails where nothing can be changed: BEGIN IMMEDIATE succeeds on a read-only file.
_TOUCH = text("UPDATE alembic_version SET version_num = version_num WHERE 1 = 0")

_PURPOSE = "purpose"
_WRITE = "write"
_LOOK = "look"
_IDENTITY = "identity of the file"


def open_store(url: str, *, read_only: bool = False, owner: str | None = None, group_read: bool = False) -> Engine:
    """The database at `url` with today's schema: made or upgraded where needed, never with `read_only`.

    With an `owner`, who is named to others, a server's database is held against other instances until the engine is
    disposed of; for a file, the lock of the state folder does that. With `group_read` a SQLite file is left as its
    group can read it, also once nobody has it open for writing.

    Raises StoreError, one line with the remedy: bad URL, missing driver, read-only file or folder, damaged
    file, locked for too long, schema newer than this program; with `read_only` also a missing file and an
    older schema; with an `owner` HeldElsewhere.
    """
    address = _address(url)
    if address.get_backend_name() == "sqlite":
        (_require_file if read_only else _make_folder)(address)
    engine = _engine(address, read_only=read_only)
    if group_read and not read_only and address.get_backend_name() == "sqlite":
        event.listen(engine, "engine_disposed", _leave_readable)
    try:
        if owner is not None and engine.dialect.name == "postgresql":
            _hold(InstanceLock(engine, owner))
        _check_schema(engine, read_only=read_only)
    except BaseException:
        engine.dispose()
        raise
    return engine


@contextmanager
def transaction(engine: Engine) -> Iterator[Connection]:
    """A connection that alone may write: commits at the end of the block, rolls back if it raises.

    Raises StoreError when the database is locked for too long, full, read-only, damaged, taken away, or refuses a row.
    """
    with plain_errors(engine.url), engine.connect() as conn:
        _check_in_place(conn)
        conn.execution_options(**{_PURPOSE: _WRITE})
        with conn.begin():
            yield conn


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A connection that sees the database as it was at its first query, whatever is written meanwhile."""
    looking = engine.get_execution_options().get(_PURPOSE) == _LOOK
    with plain_errors(engine.url, looking=looking), engine.connect() as conn:
        if engine.dialect.name == "postgresql":
            conn.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        yield conn


def database_file(url: str) -> Path | None:
    """The file of a SQLite database; None for one in memory, one by an URI of SQLite's own, and for PostgreSQL."""
    address = _address(url)
    return _file(address) if address.get_backend_name() == "sqlite" else None


def is_away(url: str) -> bool:
    """The database is on a server that takes no sessions now; a file never is."""
    address = _address(url)
    if address.get_backend_name() != "postgresql":
        return False
    try:
        return not takes_sessions(address.difference_update_query(["timeout"]))
    except ModuleNotFoundError:  # without a driver nobody knows, and waiting would not help
        return False


def patience_s(url: str) -> float:
    """How long to wait for another writer."""
    return _patience_s(_address(url))


def shown_url(url: str) -> str:
    """The URL without its password."""
    return shown(_address(url))


def _address(url: str) -> URL:
    try:
        return make_url(url)
    except (ArgumentError, ValueError) as error:
        said = PARAMETER.sub(r"\1***", re.sub(r":[^/@]*@", ":***@", url))
        raise StoreError(
            f"storage.url was {said!r}; it must be a database URL, e.g. sqlite:////var/lib/reliance-daemon/signals.db."
        ) from error


def _patience_s(address: URL) -> float:
    return float(address.query.get("timeout", BUSY_TIMEOUT_S))  # type: ignore[arg-type]  # one value


def _file(address: URL) -> Path | None:
    name = address.database or ":memory:"
    return None if name == ":memory:" or name.startswith("file:") else Path(name)


def _make_folder(address: URL) -> None:
    path = _file(address)
    if path is None:
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise store_error(address, CANT_OPEN, error) from error
    except OSError as error:
        raise store_error(address, READ_ONLY, error) from error


def _require_file(address: URL) -> None:
    path = _file(address)
    try:
        there = path is None or path.exists()
    except PermissionError as error:
        raise store_error(address, MAY_NOT_LOOK, error.strerror) from error
    if not there:
        raise store_error(address, "does not exist yet; `reliance-daemon run-once` makes it.")


def _engine(address: URL, *, read_only: bool) -> Engine:
    make = _sqlite_engine if address.get_backend_name() == "sqlite" else _server_engine
    try:
        engine = make(address, read_only=read_only)
    except (NoSuchModuleError, ModuleNotFoundError) as error:
        raise store_error(address, "needs a driver ({0}); install reliance-daemon[postgresql].", error) from error
    event.listen(engine, "begin", _begin)
    return engine


def _leave_readable(engine: Engine) -> None:
    file = _file(engine.url)
    if file is not None:
        with suppress(sqlite3.Error):  # damaged, or no room: whoever opens it next hears of it
            leave_readable(file)


def _sqlite_engine(address: URL, *, read_only: bool) -> Engine:
    waiting = {} if "timeout" in address.query else {"timeout": BUSY_TIMEOUT_S}
    purpose = {_PURPOSE: _LOOK} if read_only else {}
    engine = create_engine(address, connect_args=waiting, execution_options=purpose)
    event.listen(engine, "connect", _set_up_reader if read_only else partial(_set_up_writer, _patience_s(address)))
    if read_only:
        event.listen(engine, "do_connect", _refuse_writes)
    return engine


def _server_engine(address: URL, *, read_only: bool) -> Engine:
    server, told = address.difference_update_query(["timeout"]), server_arguments(address)
    # A writer has to see, once it has the lock, what the one before it has written: not so in a stricter isolation.
    engine = create_engine(server, connect_args=told, pool_pre_ping=True, isolation_level="READ COMMITTED")
    event.listen(engine, "connect", partial(set_up_session, _patience_s(address)))
    return engine.execution_options(postgresql_readonly=True) if read_only else engine


def _hold(lock: InstanceLock) -> None:
    lock.hold()
    event.listen(lock.engine, "begin", lambda conn: lock.hold() if _writes(conn) else None)
    event.listen(lock.engine, "engine_disposed", lambda _: lock.release())


def _writes(conn: Connection) -> bool:
    return bool(conn.get_execution_options().get(_PURPOSE) == _WRITE)


def _refuse_writes(dialect: Dialect, entry: ConnectionPoolEntry, arguments: list[Any], options: dict[str, Any]) -> None:
    if arguments[0] != ":memory:" and not options.get("uri"):
        arguments[0] = looking_uri(Path(arguments[0]))
        options["uri"] = True


def _set_up_reader(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    # The driver would begin a transaction at the first write only; `_begin` begins it where it belongs.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()
    provide_ln(connection)


def provide_ln(connection: DBAPIConnection) -> None:
    """Gives a SQLite that was built without mathematics the logarithm that v_live_accuracy needs."""
    cursor = connection.cursor()
    try:
        cursor.execute("SELECT ln(1.0)")
    except sqlite3.OperationalError:
        connection.create_function("ln", 1, math.log, deterministic=True)
    finally:
        cursor.close()


def _set_up_writer(patience_s: float, connection: DBAPIConnection, entry: ConnectionPoolEntry) -> None:
    _set_up_reader(connection, entry)
    cursor = connection.cursor()
    _keep_in_wal(cursor, patience_s)
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute(f"PRAGMA journal_size_limit = {KEPT_WAL_BYTES}")
    name = cursor.execute("PRAGMA database_list").fetchone()[2]
    cursor.close()
    entry.info[_IDENTITY] = _identity(name)


def _check_in_place(conn: Connection) -> None:
    """Raises GoneStore where the file that is open has its name no more: SQLite would write on, to nobody's use."""
    path, opened = _file(conn.engine.url), conn.info.get(_IDENTITY)
    if path is not None and opened is not None and _identity(path) != opened:
        raise store_error(conn.engine.url, GONE)


def _identity(path: str | Path) -> tuple[int, int] | None:
    try:
        found = Path(path).stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _keep_in_wal(cursor: DBAPICursor, patience_s: float) -> None:
    """Waits for other programs that are turning a new file into WAL too: SQLite itself fails then without waiting."""
    end = time.monotonic() + patience_s
    while True:
        try:
            cursor.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() >= end:
                raise
        time.sleep(WAL_RETRY_S)


def _begin(conn: Connection) -> None:
    writes = _writes(conn)
    if conn.dialect.name == "sqlite":
        conn.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
    elif conn.dialect.name == "postgresql" and writes:
        keep_writers_out(conn)


def _check_schema(engine: Engine, *, read_only: bool) -> None:
    with reading(engine) if read_only else transaction(engine) as conn:
        stored = _stored_revision(conn)
        if stored == HEAD_REVISION:
            if not read_only:
                conn.execute(_TOUCH)
            return
        if stored is not None and not is_known(stored):
            raise store_error(engine.url, _NEWER_SCHEMA, stored, HEAD_REVISION)
        if read_only:
            raise OldSchema(str(store_error(engine.url, _OLDER_SCHEMA, stored or "none", HEAD_REVISION)))
        try:
            with plain_errors(engine.url):
                upgrade(conn)
        except DBAPIError as error:
            raise store_error(engine.url, _FOREIGN_SCHEMA, error.orig) from error


def _stored_revision(conn: Connection) -> str | None:
    if not inspect(conn).has_table("alembic_version"):
        return None
    revision: str | None = conn.scalar(text("SELECT version_num FROM alembic_version"))
    return revision
