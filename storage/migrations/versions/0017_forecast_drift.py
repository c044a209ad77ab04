"""How far forecasts are from what their speaker said out of sample. Frozen."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    op.create_table(
        "forecast_drift",
        sa.Column("session", sa.Text(), sa.CheckConstraint("length(session) = 10", name="session"), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("model_id", sa.Text(), nullable=False),
        sa.Column("distance", sa.Double(), nullable=False),
        sa.Column("limit_distance", sa.Double(), nullable=False),
        sa.Column("watched_at", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("session", "label", name="forecast_drift_key"),
    )


def downgrade() -> None:
    raise NotImplementedError("the schema only goes forward; restore a backup to go back.")
