from dataclasses import replace
from datetime import date

import pytest
from sqlalchemy import Connection, Engine

from ensemble.trading.account import Account, AccountMark, ExitReason, Position, Settlement, Trade
from storage.account_store import read_account, read_marks, read_trades, write_settlement
from storage.engine import StoreError, reading, transaction

FRIDAY, MONDAY = date(2021, 10, 1), date(2021, 10, 4)
HELD = Position("RELIANCE.NS", 40, FRIDAY, 2520.5, 2470.1, 2621.3, 120.9, 1, 2531.25)
TRADE = Trade("ITC.NS", 100, FRIDAY, 230.0, FRIDAY, 225.4, ExitReason.STOP, 54.6, -514.6)


def settled(session: date, *, cash: float, positions: tuple[Position, ...], trades: tuple[Trade, ...]) -> Settlement:
    exposure = sum(held.quantity * held.last_close for held in positions)
    equity = cash + exposure
    peak_equity = 1_200_000.0
    drawdown_pct = 100 * (1 - equity / peak_equity)
    mark = AccountMark(session, cash, equity, exposure, len(positions), peak_equity, drawdown_pct)
    return Settlement(Account(cash, positions, peak_equity), trades, mark)


FIRST = settled(FRIDAY, cash=898_000.0, positions=(replace(HELD, symbol="INFY.NS"), HELD), trades=(TRADE,))
SECOND = settled(MONDAY, cash=0.1 + 0.2, positions=(replace(HELD, sessions_held=2),), trades=())


def test_before_the_first_settlement_there_is_no_account(conn: Connection) -> None:
    write_settlement(conn, "backtest", FIRST)
    assert read_account(conn, "live") is None


def test_the_account_comes_back_as_it_was_settled(conn: Connection) -> None:
    write_settlement(conn, "live", FIRST)
    assert read_account(conn, "live") == FIRST.account
    write_settlement(conn, "live", SECOND)
    assert read_account(conn, "live") == SECOND.account


def test_an_account_without_positions_is_an_account(conn: Connection) -> None:
    empty = settled(FRIDAY, cash=1e6, positions=(), trades=())
    write_settlement(conn, "live", empty)
    assert read_account(conn, "live") == empty.account


def test_settling_one_origin_leaves_the_other_alone(conn: Connection) -> None:
    write_settlement(conn, "live", FIRST)
    write_settlement(conn, "backtest", SECOND)
    assert read_account(conn, "live") == FIRST.account
    assert read_marks(conn, "backtest") == [SECOND.mark]


def test_sessions_settled_at_once_leave_what_settling_them_one_by_one_does(conn: Connection) -> None:
    write_settlement(conn, "live", FIRST)
    write_settlement(conn, "live", SECOND)
    write_settlement(conn, "backtest", FIRST, SECOND)
    for read in (read_account, read_trades, read_marks):
        assert read(conn, "backtest") == read(conn, "live")
    assert len(read_marks(conn, "backtest")) == 2


def test_trades_and_marks_are_history(conn: Connection) -> None:
    later = replace(TRADE, entry_session=MONDAY, exit_session=MONDAY, exit_reason=ExitReason.TARGET)
    write_settlement(conn, "live", FIRST)
    write_settlement(conn, "live", replace(SECOND, trades=(later,)))
    assert read_trades(conn, "live") == [TRADE, later]
    assert isinstance(read_trades(conn, "live")[0].exit_reason, ExitReason)
    assert read_marks(conn, "live") == [FIRST.mark, SECOND.mark]


def test_a_session_is_settled_once(store: Engine) -> None:
    with transaction(store) as conn:
        write_settlement(conn, "live", FIRST)
    again = settled(FRIDAY, cash=1.0, positions=(), trades=())
    with pytest.raises(StoreError, match="refused a row"), transaction(store) as conn:
        write_settlement(conn, "live", again)
    with reading(store) as conn:
        assert read_account(conn, "live") == FIRST.account
