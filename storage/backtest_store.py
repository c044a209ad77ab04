"""Backtests: each replaces the one before it."""

from sqlalchemy import Connection

from storage.tables import METADATA


def clear_backtest(conn: Connection) -> int:
    """How many rows were deleted: all of origin backtest. Bars, models and outcomes have none and stay."""
    by_origin = (table for table in METADATA.sorted_tables if "origin" in table.columns)
    return sum(conn.execute(table.delete().where(table.c.origin == "backtest")).rowcount for table in by_origin)
