"""The tables about what was read of the feed and is no bar yet: first reads, and which histories were read whole."""

from sqlalchemy import Table

from storage.column_types import Json, Session
from storage.columns import column, instant, key, session, symbol
from storage.tables import METADATA

first_reads = Table(
    "first_reads",
    METADATA,
    symbol(),
    session("The bar's trading day"),
    instant("read_at", "When these values were read first"),
    column("payload", Json, "The bar as it was read, a JSON object"),
    key("symbol", "session"),
    comment="Young bars that wait for a second, equal read, see feed.confirm_min; gone once they are believed",
)

histories = Table(
    "histories",
    METADATA,
    symbol(),
    column("read_from", Session, "The date that the feed was asked from, ISO date", check="length({0}) = 10"),
    instant("read_at", "When"),
    key("symbol"),
    comment="Symbols whose whole history `backfill` has read, with its actions, be it that the feed begins later",
)
