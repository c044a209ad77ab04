"""Each forecast gets the interval that its probability lies in. Frozen, as every step."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

CHECKS = {
    "probability_low": "probability_low >= 0 AND probability_low <= 1",
    "probability_high": "probability_high >= probability_low AND probability_high <= 1",
}


def upgrade() -> None:
    for name, check in CHECKS.items():
        constraint = sa.CheckConstraint(check, name=name)
        op.add_column("forecasts", sa.Column(name, sa.Double(), constraint, nullable=True))


def downgrade() -> None:
    raise NotImplementedError("the schema only goes forward; restore a backup to go back.")
