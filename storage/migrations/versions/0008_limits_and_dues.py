"""An order to open a position has a limit of its value, a kill switch its cause. Frozen, as every step.

What was decided by an earlier version and is not settled yet gets the value that its shares had at the last close. A
kill switch that has the file's own words was the file's.
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

MONEY = "{0} > -1e15 AND {0} < 1e15"

UNSETTLED = """
    UPDATE signals SET value_limit = quantity * reference_price
    WHERE actionable = 1 AND origin = 'live' AND reference_price IS NOT NULL
      AND session > COALESCE((SELECT MAX(session) FROM account WHERE origin = 'live'), '')
      AND symbol NOT IN (SELECT symbol FROM positions WHERE origin = 'live')
"""
CAUSES = """
    UPDATE account_events SET cause = CASE note WHEN 'the file HALT is there' THEN 'FILE' ELSE 'COMMAND' END
    WHERE reason = 'KILL_SWITCH' AND kind IN ('HALTED', 'RESUMED')
"""


def upgrade() -> None:
    check = sa.CheckConstraint(MONEY.format("value_limit"), name="value_limit")
    op.add_column("signals", sa.Column("value_limit", sa.Double(), check, nullable=True))
    op.execute(UNSETTLED)
    check = sa.CheckConstraint("cause IN ('COMMAND', 'FILE')", name="cause")
    op.add_column("account_events", sa.Column("cause", sa.Text(), check, nullable=True))
    op.execute(CAUSES)


def downgrade() -> None:
    raise NotImplementedError("the schema only goes forward; restore a backup to go back.")
