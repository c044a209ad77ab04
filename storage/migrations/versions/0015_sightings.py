"""When bars came in, so that the newest time need not be looked for among all of them. Frozen, as every step."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    op.create_table(
        "sightings",
        sa.Column("seen_at", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("seen_at", name="sightings_key"),
    )
    op.execute("INSERT INTO sightings SELECT DISTINCT seen_at FROM bars")


def downgrade() -> None:
    raise NotImplementedError("the schema only goes forward; restore a backup to go back.")
