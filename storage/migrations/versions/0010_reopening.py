"""A session may be closed without its bars, and settled again once they come. Frozen, as every step.

SQLite cannot change the rule of a column: the ledger is made anew, row by row as it was.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

ORIGIN = "{0} IN ('live', 'backtest')"
COUNT = "{0} >= 0 AND {0} < 1e15"
STATUS = "{0} IN ('running', 'done', 'failed', 'no_data')"


def upgrade() -> None:
    op.add_column("account_events", _column("kept", sa.Integer, check=COUNT, null=True))
    runs = [dict(row) for row in op.get_bind().execute(sa.text("SELECT * FROM runs")).mappings()]
    op.drop_table("runs")
    made = op.create_table(
        "runs",
        _column("origin", check=ORIGIN),
        _column("kind"),
        _column("session", check="length({0}) = 10"),
        _column("status", check=STATUS),
        _column("started_at"),
        _column("finished_at", null=True),
        _column("detail"),
        _column("configuration", null=True),
        _column("bars_known_at", null=True),
        _column("events_known", sa.Integer, check=COUNT, null=True),
        _column("code_version", null=True),
        _column("late_known_at", null=True),
        sa.PrimaryKeyConstraint("origin", "kind", "session", name="runs_key"),
    )
    op.bulk_insert(made, runs)


def _column(name: str, kind: type[Any] = sa.Text, *, check: str | None = None, null: bool = False) -> sa.Column[Any]:
    checks = [] if check is None else [sa.CheckConstraint(check.format(name), name=name)]
    return sa.Column(name, kind(), *checks, nullable=null)


def downgrade() -> None:
    raise NotImplementedError("the schema only goes forward; restore a backup to go back.")
