"""A database as an earlier version left it."""

import sqlite3

LATER_TABLES = (
    *("outbox", "feed_state", "close_checks", "corporate_actions", "restatements", "first_reads", "histories"),
    *("sightings", "model_events", "shadow_forecasts", "live_loss", "feature_drift", "forecast_drift"),
)
LATER_COLUMNS = {
    "account_events": ("kept",),
    "runs": ("late_known_at",),
    "bars": ("withdrawn",),
    "quarantine": ("verdict", "decided_at", "decided_by", "note"),
}
"""What the steps after 0008 have made."""


def back_to_0008(database: sqlite3.Connection) -> None:
    """Without what later steps have made."""
    database.execute("UPDATE alembic_version SET version_num = '0008'")
    for table in LATER_TABLES:
        database.execute(f"DROP TABLE {table}")
    for table, columns in LATER_COLUMNS.items():
        for column in columns:
            database.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
