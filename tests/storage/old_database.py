"""A database as an earlier version made it."""

from collections.abc import Sequence
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, text

import storage.migrations


def make_old(url: str, revision: str, rows: Sequence[str]) -> None:
    """At that schema, with what the statements `rows` put in."""
    old = create_engine(url)
    config = Config()
    config.set_main_option("script_location", str(Path(storage.migrations.__file__).parent))
    config.set_main_option("path_separator", "os")
    with old.begin() as conn:
        config.attributes["connection"] = conn
        command.upgrade(config, revision)
        for row in rows:
            conn.execute(text(row))
    old.dispose()
