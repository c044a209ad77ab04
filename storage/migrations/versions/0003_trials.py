"""The ledger of trials, and of looks at what is held out. Frozen, as every step."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

Column = sa.Column[Any]

DAY = "length({0}) = 10"
LOSS = "{0} >= 0 AND {0} < 1e3"
COUNT = "{0} >= 0 AND {0} < 1e15"
SHARE = "{0} >= 0 AND {0} <= 1"


def upgrade() -> None:
    op.create_table(
        "trials",
        _column("trial_id"),
        _column("kind", check="{0} IN ('sweep', 'backtest')"),
        _column("study"),
        _column("number", sa.Integer, check=COUNT),
        _column("state", check="{0} IN ('running', 'complete', 'pruned', 'failed')"),
        _column("digest"),
        _column("settings"),
        _column("label", null=True),
        _column("first_session", check=DAY),
        _column("last_session", check=DAY),
        _column("sessions", sa.Integer, check=COUNT),
        _column("log_loss", sa.Double, check=LOSS, null=True),
        _column("base_log_loss", sa.Double, check=LOSS, null=True),
        _column("auc", sa.Double, check=SHARE, null=True),
        _column("right_share", sa.Double, check=SHARE, null=True),
        _column("progress", null=True),
        _column("started_at"),
        _column("finished_at", null=True),
        _column("code_version"),
        _column("detail"),
        sa.PrimaryKeyConstraint("trial_id", name="trials_key"),
    )
    op.create_table(
        "trial_sessions",
        _column("trial_id"),
        _column("session", check=DAY),
        _column("log_loss", sa.Double, check=LOSS),
        _column("base_log_loss", sa.Double, check=LOSS),
        sa.PrimaryKeyConstraint("trial_id", "session", name="trial_sessions_key"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "holdout_openings",
        _column("experiment"),
        _column("holdout_from", check=DAY),
        _column("last_session", check=DAY),
        _column("digest"),
        _column("opened_at"),
        _column("code_version"),
        sa.PrimaryKeyConstraint("experiment", name="holdout_openings_key"),
    )


def downgrade() -> None:
    raise NotImplementedError("the schema only goes forward; restore a backup to go back.")


def _column(name: str, kind: type[Any] = sa.Text, *, check: str | None = None, null: bool = False) -> Column:
    checks = [] if check is None else [sa.CheckConstraint(check.format(name), name=name)]
    return sa.Column(name, kind(), *checks, nullable=null)
