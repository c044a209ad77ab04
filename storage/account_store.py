"""The paper account: what it holds now, the trades it closed, and its mark at the close of every session."""

from typing import Any

from sqlalchemy import Connection, Row, delete, select

from ensemble.trading.account import Account, AccountMark, ExitReason, Position, Settlement, Trade
from storage.rows import insert_records, record_columns
from storage.tables import Origin, account, positions, trades


def read_account(conn: Connection, origin: Origin) -> Account | None:
    """The account after the newest session settled, None before the first."""
    newest = select(account.c.cash, account.c.peak_equity).where(account.c.origin == origin)
    mark = conn.execute(newest.order_by(account.c.session.desc()).limit(1)).first()
    if mark is None:
        return None
    query = select(*record_columns(Position, positions)).where(positions.c.origin == origin)
    held = tuple(Position(*row) for row in conn.execute(query.order_by(positions.c.symbol)))
    return Account(cash=mark.cash, positions=held, peak_equity=mark.peak_equity)


def write_settlement(conn: Connection, origin: Origin, *settled: Settlement) -> None:
    """Keeps one session settled after the other: the newest positions replace the old, trades and marks are added.

    A session that is settled already makes the transaction fail.
    """
    conn.execute(delete(positions).where(positions.c.origin == origin))
    insert_records(conn, positions, settled[-1].account.positions, origin=origin)
    insert_records(conn, trades, [trade for one in settled for trade in one.trades], origin=origin)
    insert_records(conn, account, [one.mark for one in settled], origin=origin)


def read_trades(conn: Connection, origin: Origin) -> list[Trade]:
    """Every closed position, in order of exit, entry and symbol."""
    query = select(*record_columns(Trade, trades)).where(trades.c.origin == origin)
    in_order = query.order_by(trades.c.exit_session, trades.c.entry_session, trades.c.symbol)
    return [_trade(row) for row in conn.execute(in_order)]


def read_marks(conn: Connection, origin: Origin) -> list[AccountMark]:
    """The account's marks in order of their sessions."""
    query = select(*record_columns(AccountMark, account)).where(account.c.origin == origin)
    return [AccountMark(*row) for row in conn.execute(query.order_by(account.c.session))]


def _trade(row: Row[Any]) -> Trade:
    kept = row._asdict()
    return Trade(**kept | {"exit_reason": ExitReason(kept["exit_reason"])})
