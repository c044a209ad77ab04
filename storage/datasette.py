"""Metadata for Datasette, which shows a database in a browser: what every column holds, and questions ready to ask."""

from typing import Any

from sqlalchemy import Connection, select

from storage.queries import canned_queries
from storage.tables import data_dictionary


def datasette_metadata(conn: Connection, *, database: str) -> dict[str, Any]:
    """What `datasette --metadata` takes, for the database file called `database` without its suffix.

    Descriptions come from the database's own dictionary: they are those of the version that made it.
    """
    tables: dict[str, dict[str, Any]] = {}
    for row in conn.execute(select(data_dictionary)):
        table = tables.setdefault(row.object_name, {"columns": {}})
        if row.column_name:
            table["columns"][row.column_name] = row.description
        else:
            table["description"] = row.description
    queries = {one.name: {"title": one.question, "description": one.note, "sql": one.sql} for one in canned_queries()}
    return {
        "title": "reliance-daemon",
        "description": "Forecasts, signals and the paper account. None of this is investment advice.",
        "databases": {database: {"tables": tables, "queries": queries}},
    }
