"""The account's events, from which it is rebuilt; positions and trades know their side. Frozen, as every step.

An account of an earlier version kept none: it gets some that make it as it stands, its history before stays in its
trades and marks. What a position held was worth at its entry's open, and when it was marked last, is in the bars.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

Column = sa.Column[Any]
Row = Mapping[str, Any]

ORIGIN = "{0} IN ('live', 'backtest')"
DIRECTION = "{0} IN ('LONG', 'SHORT')"
DAY = "length({0}) = 10"
COUNT = "{0} >= 0 AND {0} < 1e15"
PRICE = "{0} > 0 AND {0} < 1e9"
MONEY = "{0} > -1e15 AND {0} < 1e15"

POSITIONS = """
    SELECT p.*, 'LONG' AS direction, 1.0 AS dividend_factor, 0.0 AS income,
           COALESCE((SELECT open FROM bars b WHERE b.symbol = p.symbol AND b.session = p.entry_session
                     AND b.superseded_at IS NULL), p.entry_price) AS entry_open,
           COALESCE((SELECT MAX(b.session) FROM bars b WHERE b.symbol = p.symbol AND b.superseded_at IS NULL
                     AND b.session >= p.entry_session
                     AND b.session <= (SELECT MAX(a.session) FROM account a WHERE a.origin = p.origin)),
                    p.entry_session) AS last_session
    FROM positions p
    ORDER BY p.origin, p.symbol
"""
TRADES = "SELECT t.*, 'LONG' AS direction, 0.0 AS income FROM trades t"
MARKS = """
    SELECT origin, session, cash, equity, peak_equity FROM account a
    WHERE session = (SELECT MAX(session) FROM account b WHERE b.origin = a.origin)
"""


def upgrade() -> None:
    conn = op.get_bind()
    positions, trades, marks = ([*conn.execute(sa.text(sql)).mappings()] for sql in (POSITIONS, TRADES, MARKS))
    for name in ("positions", "trades"):
        op.drop_table(name)
    op.bulk_insert(_make_positions(), [dict(row) for row in positions])
    op.bulk_insert(_make_trades(), [dict(row) for row in trades])
    events = [event for mark in marks for event in _events(mark, [row for row in positions if _same(row, mark)])]
    op.bulk_insert(_make_events(), events)


def downgrade() -> None:
    raise NotImplementedError("the schema only goes forward; restore a backup to go back.")


def _make_positions() -> sa.Table:
    return op.create_table(
        "positions",
        _column("origin", check=ORIGIN),
        _column("symbol"),
        _column("quantity", sa.BigInteger, check=COUNT),
        _column("entry_session", check=DAY),
        *(_column(name, sa.Double, check=PRICE) for name in ("entry_price", "stop_price", "target_price")),
        _column("entry_cost", sa.Double, check=MONEY),
        _column("sessions_held", sa.Integer, check=COUNT),
        _column("last_close", sa.Double, check=PRICE),
        _column("last_session", check=DAY),
        _column("entry_open", sa.Double, check=PRICE),
        _column("direction", check=DIRECTION),
        _column("dividend_factor", sa.Double, check=PRICE),
        _column("income", sa.Double, check=MONEY),
        sa.PrimaryKeyConstraint("origin", "symbol", name="positions_key"),
    )


def _make_trades() -> sa.Table:
    return op.create_table(
        "trades",
        _column("origin", check=ORIGIN),
        _column("symbol"),
        _column("quantity", sa.BigInteger, check=COUNT),
        _column("entry_session", check=DAY),
        _column("entry_price", sa.Double, check=PRICE),
        _column("exit_session", check=DAY),
        _column("exit_price", sa.Double, check=PRICE),
        _column("exit_reason"),
        *(_column(name, sa.Double, check=MONEY) for name in ("cost", "profit")),
        _column("direction", check=DIRECTION),
        _column("income", sa.Double, check=MONEY),
        sa.PrimaryKeyConstraint("origin", "symbol", "entry_session", name="trades_key"),
    )


def _make_events() -> sa.Table:
    return op.create_table(
        "account_events",
        _column("origin", check=ORIGIN),
        _column("number", sa.Integer, check=COUNT),
        _column("session", check=DAY),
        _column("kind"),
        _column("symbol", null=True),
        _column("direction", check=DIRECTION, null=True),
        _column("quantity", sa.BigInteger, check=COUNT),
        _column("price", sa.Double, check=PRICE, null=True),
        _column("amount", sa.Double, check=MONEY, null=True),
        *(_column(name, sa.Double, check=PRICE, null=True) for name in ("bar_open", "stop_price", "target_price")),
        _column("factor", sa.Double, check=PRICE, null=True),
        _column("sessions", sa.Integer, check=COUNT, null=True),
        *(_column(name, null=True) for name in ("reason", "note", "commanded_at")),
        sa.PrimaryKeyConstraint("origin", "number", name="account_events_key"),
        sqlite_with_rowid=False,
    )


def _events(mark: Row, positions: Sequence[Row]) -> list[dict[str, Any]]:
    """Opened at its best, then what it holds, then the cash that it has."""
    told: list[dict[str, Any]] = [{"kind": "OPENED", "session": mark["session"], "amount": mark["peak_equity"]}]
    for held in positions:
        entered = {name: held[name] for name in ("symbol", "direction", "quantity", "stop_price", "target_price")}
        entered |= {"session": held["entry_session"], "price": held["entry_price"], "amount": held["entry_cost"]}
        entered |= {"bar_open": held["entry_open"], "sessions": held["sessions_held"] - 1}
        told.append({"kind": "ENTERED", **entered})
        closed = {"symbol": held["symbol"], "session": held["last_session"], "price": held["last_close"]}
        told.append({"kind": "MARKED", **closed})
    told.append({"kind": "CARRIED", "session": mark["session"], "amount": mark["cash"]})
    told.append({"kind": "SETTLED", "session": mark["session"], "amount": mark["equity"]})
    words, prices = ("symbol", "direction", "sessions"), ("price", "amount", "bar_open", "stop_price", "target_price")
    empty = dict.fromkeys((*words, *prices))
    return [
        {"origin": mark["origin"], "number": number, "quantity": 0, **empty, **event}
        for number, event in enumerate(told, start=1)
    ]


def _same(row: Row, mark: Row) -> bool:
    return bool(row["origin"] == mark["origin"])


def _column(name: str, kind: type[Any] = sa.Text, *, check: str | None = None, null: bool = False) -> Column:
    checks = [] if check is None else [sa.CheckConstraint(check.format(name), name=name)]
    return sa.Column(name, kind(), *checks, nullable=null)
