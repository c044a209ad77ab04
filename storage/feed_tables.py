"""The tables about the feeds: how each provider behaves, and where two of them disagree."""

from sqlalchemy import BigInteger, Double, Integer, Table, Text

from storage.column_types import Session
from storage.columns import COUNT, column, instant, key, price, session, symbol
from storage.tables import METADATA

feed_state = Table(
    "feed_state",
    METADATA,
    column("provider", Text, "The feed, e.g. yahoo"),
    column("failures", Integer, "Fetches in a row that brought nothing but failures of the provider", check=COUNT),
    instant("failing_since", "When the first of these was; empty when there is none", null=True),
    instant("shut_until", "It is not asked before; empty when it may be asked", null=True),
    column("why", Text, "What the newest failure was, in a line; empty when there is none"),
    column("day", Session, "The UTC day that the calls are of", check="length({0}) = 10", null=True),
    column("calls", BigInteger, "How many symbols it was asked for on that day", check=COUNT),
    key("provider"),
    comment="Providers on the network: how long each has failed, until when it is left in peace, what it was asked",
)

close_checks = Table(
    "close_checks",
    METADATA,
    symbol(),
    session("The trading day"),
    column("provider", Text, "The other feed, that the stored close was compared with"),
    price("close", "The close that is stored"),
    price("other_close", "The close of the other feed"),
    column("difference_bp", Double, "Other close less stored close, basis points of the stored one"),
    instant("checked_at", "When they were compared last"),
    key("symbol", "session", "provider"),
    comment="Closes on which two providers differ; nothing is ever changed by it",
)

sightings = Table(
    "sightings",
    METADATA,
    instant("seen_at", "When bars came in, as they have it"),
    key("seen_at"),
    comment="Every time at which a version of a bar was seen first: the newest is asked for at each look",
)
