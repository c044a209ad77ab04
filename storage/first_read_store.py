"""Young bars as they were read first, which wait for a second, equal read."""

from collections.abc import Mapping
from datetime import datetime
from math import isnan

import pandas as pd
from sqlalchemy import Connection, delete, select

from ensemble.bars import BAR_COLUMNS
from storage.reading_tables import first_reads
from storage.rows import insert_rows


def read_first_reads(conn: Connection, symbol: str) -> tuple[pd.DataFrame, dict[pd.Timestamp, datetime]]:
    """A bars frame of those of the symbol, and when each was read first."""
    query = select(first_reads.c.session, first_reads.c.read_at, first_reads.c.payload)
    rows = conn.execute(query.where(first_reads.c.symbol == symbol).order_by(first_reads.c.session)).all()
    index = pd.DatetimeIndex([row.session for row in rows], name="session").as_unit("us")
    frame = pd.DataFrame([row.payload for row in rows], index=index, columns=list(BAR_COLUMNS), dtype="float64")
    return frame, {pd.Timestamp(row.session): row.read_at for row in rows}


def write_first_reads(
    conn: Connection, symbol: str, waiting: pd.DataFrame, read_at: Mapping[pd.Timestamp, datetime]
) -> None:
    """Keeps the bars of the symbol that wait, a bars frame, in place of all that waited before."""
    conn.execute(delete(first_reads).where(first_reads.c.symbol == symbol))
    rows = []
    for session, bar in zip(waiting.index, waiting.to_numpy().tolist(), strict=True):
        payload = {name: None if isnan(value) else value for name, value in zip(BAR_COLUMNS, bar, strict=True)}
        rows.append({"symbol": symbol, "session": session, "read_at": read_at[session], "payload": payload})
    insert_rows(conn, first_reads, rows)
