"""The first schema. Frozen: what comes after is a new step, whatever `storage/tables.py` says by then."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

Column = sa.Column[Any]


def upgrade() -> None:
    _make_bars()
    _make_forecasts()
    _make_decisions()
    _make_account()
    _make_records()


def downgrade() -> None:
    raise NotImplementedError("the schema only goes forward; restore a backup to go back.")


def _make_bars() -> None:
    _table(
        "bars",
        _text("symbol"),
        _day("session"),
        _text("seen_at"),
        _text("superseded_at", null=True),
        _text("provider"),
        _price("open", null=True),
        _price("high", null=True),
        _price("low", null=True),
        _price("close"),
        _price("adj_close"),
        _number("volume", "{0} >= 0 AND {0} < 1e15", null=True),
        key="symbol session seen_at",
        sqlite_with_rowid=False,
    )
    _table(
        "quarantine",
        sa.Column("id", sa.Integer(), nullable=False),
        _text("symbol"),
        _day("session", null=True),
        _text("seen_at"),
        _text("reason"),
        _text("payload"),
        key="id",
    )
    op.create_index("quarantine_symbol", "quarantine", ["symbol"])


def _make_forecasts() -> None:
    _table(
        "models",
        _text("model_id"),
        _text("month", "length({0}) = 7"),
        _text("created_at"),
        _text("manifest"),
        key="model_id",
    )
    _table(
        "member_forecasts",
        _origin(),
        _day("session"),
        _text("symbol"),
        _text("label"),
        _text("member"),
        _share("probability"),
        _text("model_id"),
        key="origin session symbol label member",
        sqlite_with_rowid=False,
    )
    _table(
        "forecasts",
        _origin(),
        _day("session"),
        _text("symbol"),
        _text("label"),
        _share("probability"),
        _share("probability_mean"),
        _text("method"),
        _text("model_id"),
        _text("data_digest"),
        _text("code_version"),
        _text("decided_at"),
        _flag("late"),
        key="origin session symbol label",
    )
    _table(
        "outcomes",
        _day("session"),
        _text("symbol"),
        _text("label"),
        _flag("outcome"),
        _text("resolved_at"),
        key="session symbol label",
        sqlite_with_rowid=False,
    )


def _make_decisions() -> None:
    _table(
        "signals",
        _origin(),
        _day("session"),
        _text("symbol"),
        _text("label"),
        _text("action", "{0} IN ('BUY', 'SELL', 'HOLD')"),
        _share("probability", null=True),
        _share("confidence", null=True),
        _shares(),
        _price("reference_price", null=True),
        _number("stop_loss_pct", "{0} >= 0 AND {0} <= 100"),
        _number("take_profit_pct", "{0} >= 0 AND {0} <= 100"),
        _text("reasons"),
        _flag("late"),
        _flag("actionable"),
        _text("decided_at"),
        key="origin session symbol",
    )
    _table("features", _origin(), _day("session"), _text("digest"), _count("column_count"), key="origin session")


def _make_account() -> None:
    _table(
        "positions",
        _origin(),
        _text("symbol"),
        _shares(),
        _day("entry_session"),
        _price("entry_price"),
        _price("stop_price"),
        _price("target_price"),
        _money("entry_cost"),
        _count("sessions_held"),
        _price("last_close"),
        key="origin symbol",
    )
    _table(
        "trades",
        _origin(),
        _text("symbol"),
        _shares(),
        _day("entry_session"),
        _price("entry_price"),
        _day("exit_session"),
        _price("exit_price"),
        _text("exit_reason"),
        _money("cost"),
        _money("profit"),
        key="origin symbol entry_session",
    )
    _table(
        "account",
        _origin(),
        _day("session"),
        _money("cash"),
        _money("equity"),
        _money("exposure"),
        _count("positions"),
        _money("peak_equity"),
        _number("drawdown_pct", "{0} >= 0 AND {0} <= 100"),
        key="origin session",
    )


def _make_records() -> None:
    _table(
        "runs",
        _origin(),
        _text("kind"),
        _day("session"),
        _text("status", "{0} IN ('running', 'done', 'failed')"),
        _text("started_at"),
        _text("finished_at", null=True),
        _text("detail"),
        key="origin kind session",
    )
    _table(
        "data_dictionary",
        _text("object_name"),
        _text("column_name"),
        _text("type"),
        _text("description"),
        key="object_name column_name",
    )


def _table(name: str, *columns: Column, key: str, **options: Any) -> None:
    op.create_table(name, *columns, sa.PrimaryKeyConstraint(*key.split()), **options)


def _column(name: str, kind: Any, check: str | None, *, null: bool = False) -> Column:
    checks = [] if check is None else [sa.CheckConstraint(check.format(name), name=name)]
    return sa.Column(name, kind, *checks, nullable=null)


def _text(name: str, check: str | None = None, *, null: bool = False) -> Column:
    return _column(name, sa.Text(), check, null=null)


def _number(name: str, check: str, *, null: bool = False) -> Column:
    return _column(name, sa.Double(), check, null=null)


def _origin() -> Column:
    return _text("origin", "{0} IN ('live', 'backtest')")


def _day(name: str, *, null: bool = False) -> Column:
    return _text(name, "length({0}) = 10", null=null)


def _price(name: str, *, null: bool = False) -> Column:
    return _number(name, "{0} > 0 AND {0} < 1e9", null=null)


def _money(name: str) -> Column:
    return _number(name, "{0} > -1e15 AND {0} < 1e15")


def _share(name: str, *, null: bool = False) -> Column:
    return _number(name, "{0} >= 0 AND {0} <= 1", null=null)


def _count(name: str) -> Column:
    return _column(name, sa.Integer(), "{0} >= 0 AND {0} < 1e15")


def _shares() -> Column:
    return _column("quantity", sa.BigInteger(), "{0} >= 0 AND {0} < 1e15")


def _flag(name: str) -> Column:
    return _column(name, sa.Integer(), "{0} IN (0, 1)")
