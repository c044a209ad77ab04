"""PostgreSQL as the database: how a session with the server is set up, and what keeps others out."""

import threading
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import URL, Connection, Engine, Table, text
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import ConnectionPoolEntry

from storage.errors import HeldElsewhere, plain_errors, store_error

# Any fixed numbers will do: they name the locks of one database, and each daemon has a database of its own.
_WRITE_LOCK = 20_211_001
_INSTANCE_LOCK = 20_211_002

_ARGUMENTS = {
    "client_encoding": "utf8",
    "connect_timeout": 10,
    # A server that is cut off without a word is noticed within a minute.
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
}
# Whatever server, database or role have been given as their own: every digit of a number, UTC, a wait that ends, and a
# client that is cut off without a word is noticed, so that its locks go.
_SET_UP = """
    SET extra_float_digits = 1; SET timezone = 'UTC'; SET datestyle = 'ISO, YMD'; SET lock_timeout = {0:.0f};
    SET tcp_keepalives_idle = 30; SET tcp_keepalives_interval = 10; SET tcp_keepalives_count = 3;
    SET tcp_user_timeout = 60000
"""
_HOLDER = text("""
    SELECT activity.application_name
    FROM pg_locks AS held LEFT JOIN pg_stat_activity AS activity ON activity.pid = held.pid
    WHERE held.locktype = 'advisory' AND held.granted AND held.classid = 0 AND held.objid = :key AND held.objsubid = 1
      AND held.database = (SELECT oid FROM pg_database WHERE datname = current_database())
""")


def server_arguments(address: URL) -> dict[str, Any]:
    """What the driver is told besides the URL, whose own options come first."""
    return {name: value for name, value in _ARGUMENTS.items() if name not in address.query}


def takes_sessions(address: URL) -> bool:
    """Whether the server would let somebody in, by whatever name: False while it is away, or starts or stops."""
    from psycopg.conninfo import make_conninfo
    from psycopg.pq import PGconn, Ping

    _, told = address.get_dialect()().create_connect_args(address)
    conninfo = make_conninfo("", **(server_arguments(address) | dict(told)))
    return PGconn.ping(conninfo.encode()) == Ping.OK


def set_up_session(patience_s: float, connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    """Makes a new session independent of the settings that server, database and role have."""
    before, connection.autocommit = connection.autocommit, True
    cursor = connection.cursor()
    cursor.execute(_SET_UP.format(1000 * patience_s))
    cursor.close()
    connection.autocommit = before


def keep_writers_out(conn: Connection) -> None:
    """From here to the end of its transaction nobody else's begins; waits for those before."""
    conn.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_WRITE_LOCK})")


def copy_rows(conn: Connection, table: Table, columns: Mapping[str, Iterable[object]]) -> None:
    """Inserts rows that are given as one iterable of driver's values a column; three times as fast as INSERT."""
    quote = conn.dialect.identifier_preparer.quote
    statement = f"COPY {quote(table.name)} ({', '.join(map(quote, columns))}) FROM STDIN"
    driver_error: type[Exception] = conn.dialect.loaded_dbapi.Error
    try:
        with closing(conn.connection.cursor()) as cursor, cursor.copy(statement) as copy:
            for row in zip(*columns.values(), strict=True):
                copy.write_row(row)
    except driver_error as error:
        raise DBAPIError.instance(statement, None, error, driver_error, dialect=conn.dialect) from error


@dataclass
class InstanceLock:
    """Held by a session of its own for as long as the engine lives: whoever comes second is told who was first.

    The server lets go when the session ends, however it ends. A session that the server has lost is made again before
    the next transaction is begun; should another instance have come in between, this one writes nothing any more.
    """

    engine: Engine
    owner: str
    _conn: Connection | None = None
    _alone: threading.Lock = field(default_factory=threading.Lock)

    def hold(self) -> None:
        """Takes the lock, or sees that it is still held. Raises HeldElsewhere, StoreError."""
        with self._alone, plain_errors(self.engine.url):
            if self._conn is not None and not _lives(self._conn):
                self._conn = None
            if self._conn is None:
                self._conn = self._taken()

    def release(self) -> None:
        """Lets others in."""
        with self._alone:
            if self._conn is not None:
                self._conn.close()
            self._conn = None

    def _taken(self) -> Connection:
        conn = self.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        try:
            conn.detach()  # closed with its session, never given to others
            conn.execute(text("SELECT set_config('application_name', :owner, false)"), {"owner": self.owner[:63]})
            if conn.scalar(text(f"SELECT pg_try_advisory_lock({_INSTANCE_LOCK})")):
                return conn
            holder = conn.scalar(_HOLDER, {"key": _INSTANCE_LOCK}) or "another process"
            raise store_error(self.engine.url, HELD, holder, kind=HeldElsewhere)
        except BaseException:
            conn.close()
            raise


def _lives(conn: Connection) -> bool:
    try:
        conn.exec_driver_sql("SELECT 1")
    except DBAPIError:
        conn.close()
        return False
    return True


HELD = "is worked on by {0} already; stop that first, or use a database of one's own: each daemon needs one."
