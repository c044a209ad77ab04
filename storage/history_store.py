"""Which histories were read whole, and from which date: be it that a feed has nothing so old."""

from datetime import date, datetime

from sqlalchemy import Connection, delete, select

from storage.reading_tables import histories
from storage.rows import insert_rows


def read_histories(conn: Connection) -> dict[str, date]:
    """By symbol, the date that its feed was asked from."""
    return {row.symbol: row.read_from for row in conn.execute(select(histories))}


def write_history(conn: Connection, symbol: str, *, read_from: date, read_at: datetime) -> None:
    """Notes it; the newest reading alone is kept."""
    conn.execute(delete(histories).where(histories.c.symbol == symbol))
    insert_rows(conn, histories, [{"symbol": symbol, "read_from": read_from, "read_at": read_at}])
