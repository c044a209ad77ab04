"""Withdrawn bars, first reads, histories read whole, and more kinds of actions. Frozen, as every step."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"

SESSION = "length({0}) = 10"
KIND = "kind IN ('dividend', 'split', 'bonus', 'rights', 'demerger')"


def upgrade() -> None:
    op.add_column("bars", sa.Column("withdrawn", sa.Text(), nullable=True))
    _let_more_kinds_in()
    op.create_table(
        "first_reads",
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("session", sa.Text(), sa.CheckConstraint(SESSION.format("session"), name="session"), nullable=False),
        sa.Column("read_at", sa.Text(), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("symbol", "session", name="first_reads_key"),
    )
    op.create_table(
        "histories",
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column(
            "read_from",
            sa.Text(),
            sa.CheckConstraint(SESSION.format("read_from"), name="read_from"),
            nullable=False,
        ),
        sa.Column("read_at", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("symbol", name="histories_key"),
    )


def _let_more_kinds_in() -> None:
    """The table anew with another rule: SQLite changes no CHECK."""
    op.execute("CREATE TABLE actions_before AS SELECT * FROM corporate_actions")
    op.drop_table("corporate_actions")
    op.create_table(
        "corporate_actions",
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("session", sa.Text(), sa.CheckConstraint(SESSION.format("session"), name="session"), nullable=False),
        sa.Column("kind", sa.Text(), sa.CheckConstraint(KIND, name="kind"), nullable=False),
        sa.Column("seen_at", sa.Text(), nullable=False),
        sa.Column("superseded_at", sa.Text(), nullable=True),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("value", sa.Double(), sa.CheckConstraint("value > 0 AND value < 1e9", name="value"), nullable=False),
        sa.PrimaryKeyConstraint("symbol", "session", "kind", "seen_at", name="corporate_actions_key"),
    )
    op.execute("INSERT INTO corporate_actions SELECT * FROM actions_before")
    op.execute("DROP TABLE actions_before")


def downgrade() -> None:
    raise NotImplementedError("the schema only goes forward; restore a backup to go back.")
