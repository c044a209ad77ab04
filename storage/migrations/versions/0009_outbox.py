"""What is to be told elsewhere, kept in the transaction of the work it tells of. Frozen, as every step."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.create_table(
        "outbox",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Text(), nullable=False),
        sa.Column("sent_at", sa.Text(), nullable=True),
        sa.Column(
            "attempts",
            sa.Integer(),
            sa.CheckConstraint("attempts >= 0 AND attempts < 1e15", name="attempts"),
            nullable=False,
        ),
        sa.Column("next_attempt_at", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key", "channel", name="outbox_key"),
    )


def downgrade() -> None:
    raise NotImplementedError("the schema only goes forward; restore a backup to go back.")
