"""What is wrong with a database: can it be opened, is it whole, is its schema today's, does its account add up."""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast, get_args

from sqlalchemy import Connection, Engine, func, select

from storage.account_store import read_account
from storage.engine import open_store, reading
from storage.errors import StoreError
from storage.schema import METADATA
from storage.sqlite_file import faults_of
from storage.tables import Origin


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong."""

    seen: str
    remedy: str


RESTORE = "`db restore FILE` puts a backup in its place."


def database_faults(url: str) -> list[Fault]:
    """All that is wrong with the database at `url`, nothing when it is in order; it is only read, whoever writes."""
    try:
        engine = open_store(url, read_only=True)
    except StoreError as error:
        return [_split(error)]
    try:
        return [*_file_faults(engine)] or [*_account_faults(engine)]
    except StoreError as error:
        return [_split(error)]
    finally:
        engine.dispose()


def _file_faults(engine: Engine) -> Iterator[Fault]:
    """What SQLite's own checks find. A server has checks of its own (pg_amcheck); here each row is read once."""
    with reading(engine) as conn:
        if engine.dialect.name != "sqlite":
            for table in METADATA.sorted_tables:
                conn.execute(select(func.count(func.concat(*table.columns)))).scalar_one()
            return
        said = faults_of(cast("sqlite3.Connection", conn.connection.driver_connection))
    if said:
        yield Fault(f"the file is damaged: {said}", RESTORE)


def _account_faults(engine: Engine) -> Iterator[Fault]:
    for origin in get_args(Origin):
        with reading(engine) as conn:
            yield from _rebuilt(conn, origin)


def _rebuilt(conn: Connection, origin: Origin) -> Iterator[Fault]:
    try:
        read_account(conn, origin)
    except StoreError as error:
        seen = str(error).partition(". Restore a backup")[0]
        again = "`backtest` makes that account again." if origin == "backtest" else RESTORE
        yield Fault(seen, again)


def _split(error: StoreError) -> Fault:
    """A StoreError says what is wrong, then a semicolon, then what to do."""
    seen, _, remedy = str(error).rpartition("; ")
    return Fault(seen or remedy, remedy if seen else RESTORE)
