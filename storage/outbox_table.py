"""The table of what is still to be said elsewhere."""

from sqlalchemy import CheckConstraint, Column, Integer, PrimaryKeyConstraint, Table, Text

from storage.column_types import Instant, Json
from storage.tables import METADATA

CLOUD = "cloud"
"""The channel of what goes into the bucket (storage/mirror_spool.py), which is no message."""

outbox = Table(
    "outbox",
    METADATA,
    Column(
        "key", Text, nullable=False, comment="Names what is said, e.g. signal:2021-10-01: a receiver knows a repeat"
    ),
    Column("channel", Text, nullable=False, comment="Who is told: ping, the digest of a notification URL, or cloud"),
    Column("kind", Text, nullable=False, comment="signal, failure, halt, resume, recovery, digest, ping or push"),
    Column("payload", Json, nullable=False, comment="What is said, a JSON object: title and body"),
    Column("created_at", Instant, nullable=False, comment="When it was written, with what it tells of, UTC"),
    Column("sent_at", Instant, nullable=True, comment="When the channel took it; empty until then, UTC"),
    Column(
        "attempts",
        Integer,
        CheckConstraint("attempts >= 0 AND attempts < 1e15", name="attempts"),
        nullable=False,
        comment="How often sending has failed",
    ),
    Column("next_attempt_at", Instant, nullable=False, comment="Not tried before, UTC"),
    PrimaryKeyConstraint("key", "channel"),
    comment="What is to be told elsewhere, kept with the work it tells of until it is sent",
)
