"""Records and data frames to table rows, and back."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import date, datetime
from functools import lru_cache
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from sqlalchemy import Column, Connection, Dialect, Double, Select, Table
from sqlalchemy.sql.compiler import SQLCompiler

from storage.column_types import Session
from storage.server import copy_rows

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Row = dict[str, Any]
Instants = datetime | Mapping[date, datetime]
"""When something was decided: one instant for all, or one a session."""


def row_of(record: "DataclassInstance", **more: object) -> Row:
    """One row: the record's fields by name, and what the record does not know, such as its origin."""
    return {field.name: getattr(record, field.name) for field in fields(record)} | more


def insert_rows(conn: Connection, table: Table, rows: Iterable[Mapping[str, Any]]) -> int:
    """How many rows were inserted, in one bulk statement; all have the columns of the first."""
    batch = list(rows)
    if batch:
        insert_columns(conn, table, {name: [row[name] for row in batch] for name in batch[0]})
    return len(batch)


def insert_records(conn: Connection, table: Table, records: Sequence["DataclassInstance"], **more: object) -> None:
    """Inserts records of one type in one bulk statement, with what they do not know: a value for all, or one a session.

    A mapping is taken for values by session.
    """
    if not records:
        return
    columns: dict[str, Sequence[object]] = {
        field.name: list(map(attrgetter(field.name), records)) for field in fields(records[0])
    }
    for name, value in more.items():
        if isinstance(value, Mapping):
            columns[name] = [value[session] for session in columns["session"]]
        else:
            columns[name] = [value] * len(records)
    insert_columns(conn, table, columns)


def insert_columns(conn: Connection, table: Table, columns: Mapping[str, Sequence[object]]) -> None:
    """Inserts rows that are given as one list a column, in one bulk statement.

    SQLAlchemy would turn the values of a million rows one row at a time; a column at a time takes a third.
    """
    dialect = conn.dialect
    if dialect.name == "postgresql":
        copy_rows(conn, table, {name: _bound(table.c[name], cells, dialect) for name, cells in columns.items()})
        return
    statement = _insertion(table, tuple(columns), dialect)
    names = statement.positiontup or list(columns)
    rows = zip(*(_bound(table.c[name], columns[name], dialect) for name in names), strict=True)
    parameters = list(rows) if statement.positional else [dict(zip(names, row, strict=True)) for row in rows]
    if parameters:
        conn.exec_driver_sql(str(statement), parameters)


@lru_cache(maxsize=100)
def _insertion(table: Table, names: tuple[str, ...], dialect: Dialect) -> SQLCompiler:
    """A session inserts into a dozen tables, and is done in the time that their statements take to be written."""
    compiled = table.insert().compile(dialect=dialect, column_keys=list(names))
    assert isinstance(compiled, SQLCompiler)  # as every statement's is that is no DDL
    return compiled


def _bound(column: Column[Any], values: Sequence[object], dialect: Dialect) -> Iterable[object]:
    """The values as the driver takes them."""
    process = column.type.dialect_impl(dialect).bind_processor(dialect)
    return values if process is None else map(process, values)


def record_columns(record_type: "type[DataclassInstance]", table: Table) -> list[Any]:
    """The table's columns in the order of the record's fields, so that `record_type(*row)` takes a row."""
    return [table.c[field.name] for field in fields(record_type)]


def read_frame(conn: Connection, query: Select[Any]) -> pd.DataFrame:
    """The query's rows as a frame: its columns by name, sessions as datetime64[us], numbers with NaN for NULL, the
    rest as kept.

    Takes the driver's own rows: making each value a Python date or flag would take most of the time.
    """
    columns = list(query.selected_columns)
    values = raw_columns(conn, query)
    frame = pd.DataFrame({column.name: list(cells) for column, cells in zip(columns, values, strict=True)})
    for column in columns:
        if isinstance(column.type, Session):
            frame[column.name] = frame[column.name].to_numpy(dtype="datetime64[us]")
        elif isinstance(column.type, Double):
            frame[column.name] = frame[column.name].astype(np.float64)
    return frame


def raw_columns(conn: Connection, query: Select[Any]) -> list[tuple[Any, ...]]:
    """The query's columns, each a tuple of what the driver gave: ISO text for sessions, None for NULL."""
    with conn.execute(query) as result:
        if result.cursor is None:
            raise TypeError(f"the query gave no rows to read: {query}")
        rows = result.cursor.fetchall()
    return list(zip(*rows, strict=True)) if rows else [()] * len(query.selected_columns)
