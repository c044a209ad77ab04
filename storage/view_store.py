"""Rows of the views that are the contract of signals.db, for whoever shows them."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, column, select, table

from storage.views import View


def read_view(conn: Connection, view: View, *, order: str = "session", **equal: object) -> list[Mapping[str, Any]]:
    """The view's rows in the order of one of its columns, those whose columns have the values of `equal`.

    As kept: sessions and instants are ISO text, reasons are JSON text, flags are 0 or 1.
    """
    shown = table(view.name, *(column(one.name) for one in view.columns))
    query = select(shown).where(*(shown.c[name] == value for name, value in equal.items()))
    return [dict(row) for row in conn.execute(query.order_by(shown.c[order])).mappings()]
