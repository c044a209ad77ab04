"""What happened to versions of the models, what others than the champion say, how live ones do. Frozen."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"

_KIND = "kind IN ('promoted', 'tried', 'held', 'judged', 'kept', 'rolled_back', 'pinned', 'unpinned', 'refused')"
_SESSION = "length(session) = 10"


def upgrade() -> None:
    op.create_table(
        "model_events",
        sa.Column(
            "origin", sa.Text(), sa.CheckConstraint("origin IN ('live', 'backtest')", name="origin"), nullable=False
        ),
        sa.Column(
            "number", sa.Integer(), sa.CheckConstraint("number >= 0 AND number < 1e15", name="number"), nullable=False
        ),
        sa.Column("at", sa.Text(), nullable=False),
        sa.Column("session", sa.Text(), sa.CheckConstraint(_SESSION, name="session"), nullable=False),
        sa.Column("kind", sa.Text(), sa.CheckConstraint(_KIND, name="kind"), nullable=False),
        sa.Column("model_id", sa.Text(), nullable=False),
        sa.Column("rival_id", sa.Text(), nullable=True),
        sa.Column("recipe", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("scores", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("origin", "number", name="model_events_key"),
    )
    op.create_table(
        "shadow_forecasts",
        sa.Column("session", sa.Text(), sa.CheckConstraint(_SESSION, name="session"), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("model_id", sa.Text(), nullable=False),
        sa.Column(
            "probability",
            sa.Double(),
            sa.CheckConstraint("probability >= 0 AND probability <= 1", name="probability"),
            nullable=False,
        ),
        sa.Column("made_at", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("session", "symbol", "label", "model_id", name="shadow_forecasts_key"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "feature_drift",
        sa.Column("session", sa.Text(), sa.CheckConstraint(_SESSION, name="session"), nullable=False),
        sa.Column("model_id", sa.Text(), nullable=False),
        sa.Column("drift_index", sa.Double(), nullable=False),
        sa.Column("most_usual", sa.Double(), nullable=False),
        sa.Column("furthest", sa.Text(), nullable=False),
        sa.Column("watched_at", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("session", name="feature_drift_key"),
    )
    op.create_table(
        "live_loss",
        sa.Column("session", sa.Text(), sa.CheckConstraint(_SESSION, name="session"), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column(
            "sessions",
            sa.Integer(),
            sa.CheckConstraint("sessions >= 0 AND sessions < 1e15", name="sessions"),
            nullable=False,
        ),
        sa.Column("excess", sa.Double(), nullable=False),
        sa.Column("level", sa.Double(), nullable=False),
        sa.Column("alarm_level", sa.Double(), nullable=False),
        sa.Column("alarm", sa.Integer(), sa.CheckConstraint("alarm IN (0, 1)", name="alarm"), nullable=False),
        sa.Column("watched_at", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("session", "label", name="live_loss_key"),
    )


def downgrade() -> None:
    raise NotImplementedError("the schema only goes forward; restore a backup to go back.")
