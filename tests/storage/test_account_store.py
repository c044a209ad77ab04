from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, text

from ensemble.trading.account import Account, ExitReason, Settlement, open_account, settle
from ensemble.trading.costs import Costs
from ensemble.trading.events import EventKind
from ensemble.trading.limits import RiskLimits
from ensemble.trading.rules import TradingRules
from ensemble.trading.session_bars import Bar
from ensemble.trading.signals import Action, Reason, Signal
from storage.account_store import (
    AccountBook,
    newest_mark,
    read_account,
    read_events,
    read_marks,
    read_positions,
    read_trades,
    write_settlement,
)
from storage.engine import StoreError, reading, transaction

FRIDAY, MONDAY, TUESDAY = date(2021, 10, 1), date(2021, 10, 4), date(2021, 10, 5)
RULES = TradingRules(RiskLimits(initial_capital=1_000_000), Costs())
CALM, FALLING = Bar(2500, 2520.3, 2490.1, 2510.7), Bar(230, 231, 220, 225.1)


def bought(symbol: str, session: date, quantity: int) -> Signal:
    return Signal(
        session=session,
        symbol=symbol,
        label="open_to_close",
        action=Action.BUY,
        probability=0.8,
        confidence=0.8,
        quantity=quantity,
        reference_price=None,
        stop_loss_pct=2.0,
        take_profit_pct=4.0,
        reasons=(Reason.CONFIDENT,),
        late=False,
        actionable=True,
        value_limit=1e9,
    )


def settled(account: Account, session: date, bars: Mapping[str, Bar], *signals: Signal) -> Settlement:
    return settle(account, session=session, bars=bars, signals=signals, rules=RULES)


FIRST = settled(
    open_account(RULES.limits),
    FRIDAY,
    {"RELIANCE.NS": CALM, "INFY.NS": CALM, "ITC.NS": FALLING},
    *(bought(symbol, FRIDAY, 30) for symbol in ("RELIANCE.NS", "INFY.NS", "ITC.NS")),
)
SECOND = settled(FIRST.account, MONDAY, {"RELIANCE.NS": CALM, "INFY.NS": Bar(2400, 2410, 2380, 2390)})


def change(engine: Engine, sql: str) -> None:
    with transaction(engine) as conn:
        assert conn.execute(text(sql)).rowcount == 1


def test_before_the_first_settlement_there_is_no_account(conn: Connection) -> None:
    write_settlement(conn, "backtest", FIRST)
    assert read_account(conn, "live") is None


def test_the_account_is_rebuilt_from_its_events_as_it_was_settled(conn: Connection) -> None:
    for settlement in (FIRST, SECOND):
        write_settlement(conn, "live", settlement)
        account = read_account(conn, "live")
        assert account == settlement.account
        assert account is not None
        assert account.n_events == settlement.account.n_events
        assert tuple(read_positions(conn, "live")) == settlement.account.positions
    assert list(read_events(conn, "live")) == [*FIRST.events, *SECOND.events]


def test_a_book_goes_on_from_what_it_has_read(conn: Connection) -> None:
    book = AccountBook()
    assert book.read(conn, "live") is None
    for settlement in (FIRST, SECOND):
        write_settlement(conn, "live", settlement)
        assert book.read(conn, "live") == settlement.account
        assert book.read(conn, "live") == settlement.account
    assert book.read(conn, "backtest") is None


def test_what_a_failed_transaction_wrote_is_not_in_the_book(store: Engine) -> None:
    book = AccountBook()
    with transaction(store) as conn:
        write_settlement(conn, "live", FIRST)
    with suppress(KeyboardInterrupt), transaction(store) as conn:
        assert book.read(conn, "live") == FIRST.account
        write_settlement(conn, "live", SECOND)
        raise KeyboardInterrupt
    with reading(store) as conn:
        assert book.read(conn, "live") == FIRST.account


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ("UPDATE account SET cash = 1e6 WHERE session = '2021-10-04'", r"live account's cash was kept as 1000000\.0"),
        ("UPDATE account SET peak_equity = 2e6 WHERE session = '2021-10-04'", "peak_equity was kept as 2000000"),
        ("DELETE FROM account WHERE session = '2021-10-04'", "account's .* was kept as"),
        ("UPDATE positions SET quantity = 31 WHERE symbol = 'RELIANCE.NS'", r"position in RELIANCE\.NS was kept as"),
        ("DELETE FROM positions", r"position in RELIANCE\.NS was kept as None"),
        ("UPDATE account_events SET price = price + 1 WHERE kind = 'EXITED' AND number > 9", "cash was kept as"),
        ("DELETE FROM account_events WHERE number = 3", "event 4 came after 2 others"),
        ("UPDATE account_events SET symbol = 'TCS.NS' WHERE kind = 'EXITED' AND number > 9", "which is not held"),
        ("UPDATE account_events SET price = NULL WHERE kind = 'EXITED' AND number > 9", "lacks a number"),
    ],
)
def test_an_account_that_does_not_follow_from_its_events_is_refused_in_one_line(
    damage: str, said: str, store: Engine
) -> None:
    book = AccountBook()
    with transaction(store) as conn:
        write_settlement(conn, "live", FIRST)
        write_settlement(conn, "live", SECOND)
    change(store, damage)
    with reading(store) as conn, pytest.raises(StoreError, match=said) as refused:
        book.read(conn, "live")
    assert "\n" not in str(refused.value)
    assert "Restore a backup" in str(refused.value)


def test_an_account_without_positions_is_an_account(conn: Connection) -> None:
    empty = settled(open_account(RULES.limits), FRIDAY, {})
    write_settlement(conn, "live", empty)
    assert read_account(conn, "live") == empty.account


def test_settling_one_origin_leaves_the_other_alone(conn: Connection) -> None:
    write_settlement(conn, "live", FIRST)
    write_settlement(conn, "backtest", FIRST, SECOND)
    assert read_account(conn, "live") == FIRST.account
    assert read_marks(conn, "backtest") == [FIRST.mark, SECOND.mark]


def test_the_newest_mark_is_the_last_of_all_and_none_before_the_first(conn: Connection) -> None:
    assert newest_mark(conn, "live") is None
    write_settlement(conn, "live", FIRST, SECOND)
    write_settlement(conn, "backtest", FIRST)
    for origin in ("live", "backtest"):
        assert newest_mark(conn, origin) == read_marks(conn, origin)[-1]


def test_sessions_settled_at_once_leave_what_settling_them_one_by_one_does(conn: Connection) -> None:
    write_settlement(conn, "live", FIRST)
    write_settlement(conn, "live", SECOND)
    write_settlement(conn, "backtest", FIRST, SECOND)
    reads: tuple[Any, ...] = (read_account, read_trades, read_marks, read_positions)
    for read in reads:
        assert read(conn, "backtest") == read(conn, "live")
    assert len(read_marks(conn, "backtest")) == 2


def test_trades_marks_and_events_are_history(conn: Connection) -> None:
    write_settlement(conn, "live", FIRST)
    write_settlement(conn, "live", SECOND)
    assert read_trades(conn, "live") == [*FIRST.trades, *SECOND.trades]
    assert [trade.exit_reason for trade in read_trades(conn, "live")] == [ExitReason.STOP, ExitReason.STOP]
    assert isinstance(read_trades(conn, "live")[0].exit_reason, ExitReason)
    assert read_marks(conn, "live") == [FIRST.mark, SECOND.mark]
    kinds = [event.kind for event in read_events(conn, "live")]
    assert kinds[0] is EventKind.OPENED
    assert kinds.count(EventKind.SETTLED) == 2


def test_a_session_is_settled_once(store: Engine) -> None:
    with transaction(store) as conn:
        write_settlement(conn, "live", FIRST)
    again = replace(FIRST, trades=(), events=())
    with pytest.raises(StoreError, match="refused a row"), transaction(store) as conn:
        write_settlement(conn, "live", again)
    with reading(store) as conn:
        assert read_account(conn, "live") == FIRST.account
