"""The schema's history: one file a step in `versions`, applied in order by Alembic.

To change the schema: change the table (see `storage/schema.py`) or `storage/views.py`, add a step to `versions` whose
down_revision is the newest one, and set HEAD_REVISION. Steps hold tables only: the views and the data
dictionary are made anew from the code at the end of every upgrade, so a step that changes these is empty.
"""

from pathlib import Path

from sqlalchemy import Connection

HEAD_REVISION = "0017"
"""The newest step. Kept here too, so that opening a database that is up to date need not import Alembic."""

_FOLDER = Path(__file__).parent


def is_known(revision: str) -> bool:
    """Whether this program has that step."""
    return any(step.name.startswith(f"{revision}_") for step in (_FOLDER / "versions").glob("*.py"))


def upgrade(conn: Connection) -> None:
    """Brings the schema to HEAD_REVISION inside the caller's transaction: all of it or nothing."""
    from alembic import command
    from alembic.config import Config

    from storage.dictionary import write_dictionary
    from storage.migrations.text_order import order_texts_by_bytes
    from storage.views import create_views, drop_views

    config = Config(attributes={"connection": conn})
    # Alembic reads the option as a ConfigParser does, to which % is special.
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    drop_views(conn)
    command.upgrade(config, HEAD_REVISION)
    order_texts_by_bytes(conn)
    create_views(conn)
    write_dictionary(conn)
