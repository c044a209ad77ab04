"""All tables of signals.db: whoever walks over METADATA takes it from here, where every table has been imported."""

from storage import (
    account_tables,
    action_tables,
    feed_tables,
    outbox_table,
    promotion_tables,
    reading_tables,
    trial_tables,
)
from storage.tables import METADATA

__all__ = [
    "METADATA",
    "account_tables",
    "action_tables",
    "feed_tables",
    "outbox_table",
    "promotion_tables",
    "reading_tables",
    "trial_tables",
]
