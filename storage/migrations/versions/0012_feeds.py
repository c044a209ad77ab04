"""How each provider of bars behaves, and closes on which two of them differ. Frozen, as every step."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.create_table(
        "feed_state",
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column(
            "failures",
            sa.Integer(),
            sa.CheckConstraint("failures >= 0 AND failures < 1e15", name="failures"),
            nullable=False,
        ),
        sa.Column("failing_since", sa.Text(), nullable=True),
        sa.Column("shut_until", sa.Text(), nullable=True),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("day", sa.Text(), sa.CheckConstraint("length(day) = 10", name="day"), nullable=True),
        sa.Column(
            "calls",
            sa.BigInteger(),
            sa.CheckConstraint("calls >= 0 AND calls < 1e15", name="calls"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("provider", name="feed_state_key"),
    )
    op.create_table(
        "close_checks",
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("session", sa.Text(), sa.CheckConstraint("length(session) = 10", name="session"), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("close", sa.Double(), sa.CheckConstraint("close > 0 AND close < 1e9", name="close"), nullable=False),
        sa.Column(
            "other_close",
            sa.Double(),
            sa.CheckConstraint("other_close > 0 AND other_close < 1e9", name="other_close"),
            nullable=False,
        ),
        sa.Column("difference_bp", sa.Double(), nullable=False),
        sa.Column("checked_at", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("symbol", "session", "provider", name="close_checks_key"),
    )


def downgrade() -> None:
    raise NotImplementedError("the schema only goes forward; restore a backup to go back.")
