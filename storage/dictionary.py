"""The `data_dictionary` table: every table, view and column in words, for people with a SQL shell."""

from collections.abc import Iterator

from sqlalchemy import Connection, Dialect, delete
from sqlalchemy.schema import SetColumnComment, SetTableComment

from storage.schema import METADATA
from storage.tables import data_dictionary
from storage.views import VIEWS

Entry = tuple[str, str, str, str]
"""object_name, column_name, type, description."""


def dictionary_entries(dialect: Dialect) -> Iterator[Entry]:
    """One entry for each table and view (column_name is empty) and for each of their columns."""
    for table in METADATA.sorted_tables:
        yield table.name, "", "table", table.comment or ""
        for column in table.columns:
            yield table.name, column.name, column.type.compile(dialect), column.comment or ""
    yield "alembic_version", "", "table", "Version of the schema"
    yield "alembic_version", "version_num", "VARCHAR(32)", "Newest migration that was applied"
    for view in VIEWS:
        yield view.name, "", "view", view.comment
        for shown in view.columns:
            yield view.name, shown.name, shown.type, shown.comment


def write_dictionary(conn: Connection) -> None:
    """Replaces the dictionary by what the code says now; sets the comments too where a database has them."""
    names = [column.name for column in data_dictionary.columns]
    entries = [dict(zip(names, entry, strict=True)) for entry in dictionary_entries(conn.dialect)]
    conn.execute(delete(data_dictionary))
    conn.execute(data_dictionary.insert(), entries)
    if conn.dialect.supports_comments:
        for table in METADATA.sorted_tables:
            conn.execute(SetTableComment(table))
            for column in table.columns:
                conn.execute(SetColumnComment(column))
