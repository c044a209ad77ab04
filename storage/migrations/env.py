"""Alembic runs this for every upgrade; the connection, and the transaction it is in, come from `upgrade`."""

from alembic import context

from storage.schema import METADATA

context.configure(connection=context.config.attributes["connection"], target_metadata=METADATA)
with context.begin_transaction():
    context.run_migrations()
