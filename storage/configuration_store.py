"""What sessions were decided and settled by, each configuration kept once."""

import hashlib
from datetime import datetime

from sqlalchemy import Connection, select

from storage.rows import insert_rows
from storage.tables import configurations

_DIGEST_CHARS = 16


def keep_configuration(conn: Connection, settings: str, *, seen_at: datetime) -> str:
    """The digest under which the settings, a JSON text, are kept; equal ones are kept once, as first seen.

    They are kept to the letter: sorting their keys would move the columns of a panel.
    """
    digest = digest_of(settings)
    if conn.scalar(select(configurations.c.digest).filter_by(digest=digest)) is None:
        insert_rows(conn, configurations, [{"digest": digest, "settings": settings, "first_seen": seen_at}])
    return digest


def digest_of(settings: str) -> str:
    """The digest that settings are kept under."""
    return hashlib.sha256(settings.encode()).hexdigest()[:_DIGEST_CHARS]


def read_configurations(conn: Connection) -> dict[str, str]:
    """The settings of every configuration, JSON texts by digest."""
    return dict(conn.execute(select(configurations.c.digest, configurations.c.settings)).all())
