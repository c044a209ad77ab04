"""What companies did to their shares, and what feeds did to the history of bars. Frozen, as every step."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    op.create_table(
        "corporate_actions",
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("session", sa.Text(), sa.CheckConstraint("length(session) = 10", name="session"), nullable=False),
        sa.Column("kind", sa.Text(), sa.CheckConstraint("kind IN ('dividend', 'split')", name="kind"), nullable=False),
        sa.Column("seen_at", sa.Text(), nullable=False),
        sa.Column("superseded_at", sa.Text(), nullable=True),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("value", sa.Double(), sa.CheckConstraint("value > 0 AND value < 1e9", name="value"), nullable=False),
        sa.PrimaryKeyConstraint("symbol", "session", "kind", "seen_at", name="corporate_actions_key"),
    )
    op.create_table(
        "restatements",
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("seen_at", sa.Text(), nullable=False),
        sa.Column(
            "first_session",
            sa.Text(),
            sa.CheckConstraint("length(first_session) = 10", name="first_session"),
            nullable=False,
        ),
        sa.Column(
            "last_session",
            sa.Text(),
            sa.CheckConstraint("length(last_session) = 10", name="last_session"),
            nullable=False,
        ),
        sa.Column(
            "factor", sa.Double(), sa.CheckConstraint("factor > 0 AND factor < 1e9", name="factor"), nullable=False
        ),
        sa.Column(
            "bars_changed",
            sa.Integer(),
            sa.CheckConstraint("bars_changed >= 0 AND bars_changed < 1e15", name="bars_changed"),
            nullable=False,
        ),
        sa.Column("explained_by", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("symbol", "seen_at", name="restatements_key"),
    )


def downgrade() -> None:
    raise NotImplementedError("the schema only goes forward; restore a backup to go back.")
