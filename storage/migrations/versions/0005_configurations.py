"""Each run keeps what it was done by: its configuration, the bars it knew, its code. Frozen, as every step."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_table(
        "configurations",
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("settings", sa.Text(), nullable=False),
        sa.Column("first_seen", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name="configurations_key"),
    )
    op.add_column("runs", sa.Column("configuration", sa.Text(), nullable=True))
    op.add_column("runs", sa.Column("bars_known_at", sa.Text(), nullable=True))
    count = sa.CheckConstraint("events_known >= 0 AND events_known < 1e15", name="events_known")
    op.add_column("runs", sa.Column("events_known", sa.Integer(), count, nullable=True))
    op.add_column("runs", sa.Column("code_version", sa.Text(), nullable=True))


def downgrade() -> None:
    raise NotImplementedError("the schema only goes forward; restore a backup to go back.")
