"""Each signal says what acting on it was expected to be worth, where the gate asks. Frozen, as every step."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    check = sa.CheckConstraint("expected_value_bp > -1e6 AND expected_value_bp < 1e6", name="expected_value_bp")
    op.add_column("signals", sa.Column("expected_value_bp", sa.Double(), check, nullable=True))


def downgrade() -> None:
    raise NotImplementedError("the schema only goes forward; restore a backup to go back.")
