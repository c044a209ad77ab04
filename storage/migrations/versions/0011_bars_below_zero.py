"""A future may close below zero; a refused bar gets a verdict. Frozen, as every step."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"

BAR_PRICE = "({0} > 0 OR replace(symbol, '=F', '') <> symbol) AND {0} > -1e9 AND {0} < 1e9"
COUNT = "{0} >= 0 AND {0} < 1e15"
SESSION = "length({0}) = 10"
VERDICT = "{0} IN ('accepted', 'rejected')"


def upgrade() -> None:
    _let_futures_fall_below_zero()
    check = sa.CheckConstraint(VERDICT.format("verdict"), name="verdict")
    op.add_column("quarantine", sa.Column("verdict", sa.Text(), check, nullable=True))
    for name in ("decided_at", "decided_by", "note"):
        op.add_column("quarantine", sa.Column(name, sa.Text(), nullable=True))


def _let_futures_fall_below_zero() -> None:
    """The table anew with another rule, filled in the database itself: there may be millions of bars."""
    op.execute("CREATE TABLE bars_before AS SELECT * FROM bars")
    op.drop_table("bars")
    op.create_table(
        "bars",
        _column("symbol"),
        _column("session", check=SESSION),
        _column("seen_at"),
        _column("superseded_at", null=True),
        _column("provider"),
        *(_column(name, sa.Double, check=BAR_PRICE, null=True) for name in ("open", "high", "low")),
        *(_column(name, sa.Double, check=BAR_PRICE) for name in ("close", "adj_close")),
        _column("volume", sa.Double, check=COUNT, null=True),
        sa.PrimaryKeyConstraint("symbol", "session", "seen_at", name="bars_key"),
        sqlite_with_rowid=False,
    )
    op.execute("INSERT INTO bars SELECT * FROM bars_before ORDER BY symbol, session, seen_at")
    op.execute("DROP TABLE bars_before")


def _column(name: str, kind: type[Any] = sa.Text, *, check: str | None = None, null: bool = False) -> sa.Column[Any]:
    checks = [] if check is None else [sa.CheckConstraint(check.format(name), name=name)]
    return sa.Column(name, kind(), *checks, nullable=null)


def downgrade() -> None:
    raise NotImplementedError("the schema only goes forward; restore a backup to go back.")
