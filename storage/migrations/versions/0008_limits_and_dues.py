"""Orders get a limit of their value, kill switches a cause, marks the dividends to come. Frozen, as every step.

What was decided by an earlier version and is not settled yet gets the value that its shares had at the last close. A
kill switch that has the file's own words was the file's. Dividends were paid at the ex-date: none was to come.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

ORIGIN = "{0} IN ('live', 'backtest')"
COUNT = "{0} >= 0 AND {0} < 1e15"
PERCENT = "{0} >= 0 AND {0} <= 100"
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
    _give_marks_their_receivables()


def _give_marks_their_receivables() -> None:
    marks = [dict(row) for row in op.get_bind().execute(sa.text("SELECT *, 0.0 AS receivable FROM account")).mappings()]
    op.drop_table("account")
    made = op.create_table(
        "account",
        _column("origin", check=ORIGIN),
        _column("session", check="length({0}) = 10"),
        *(_column(name, sa.Double, check=MONEY) for name in ("cash", "equity", "exposure")),
        _column("positions", sa.Integer, check=COUNT),
        _column("peak_equity", sa.Double, check=MONEY),
        _column("drawdown_pct", sa.Double, check=PERCENT),
        _column("receivable", sa.Double, check=MONEY),
        sa.PrimaryKeyConstraint("origin", "session", name="account_key"),
    )
    op.bulk_insert(made, marks)


def _column(name: str, kind: type[Any] = sa.Text, *, check: str) -> sa.Column[Any]:
    return sa.Column(name, kind(), sa.CheckConstraint(check.format(name), name=name), nullable=False)


def downgrade() -> None:
    raise NotImplementedError("the schema only goes forward; restore a backup to go back.")
