from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from sqlalchemy import Connection, Engine, text

from ensemble.trading.signals import Action, Reason, Signal
from storage.engine import StoreError, transaction
from storage.signal_store import newest_signal_session, read_signals, write_signals

FRIDAY, MONDAY = date(2021, 10, 1), date(2021, 10, 4)
DECIDED = datetime(2021, 10, 1, 3, 15, tzinfo=UTC)
BUY = Signal(
    session=FRIDAY,
    symbol="RELIANCE.NS",
    label="open_to_close",
    action=Action.BUY,
    probability=0.74,
    confidence=0.74,
    quantity=40,
    reference_price=2520.5,
    stop_loss_pct=2.0,
    take_profit_pct=4.0,
    reasons=(Reason.CONFIDENT, Reason.LATE),
    late=True,
    actionable=False,
    value_limit=102_000.5,
)
HOLD = replace(
    BUY,
    symbol="ITC.NS",
    action=Action.HOLD,
    probability=None,
    confidence=None,
    quantity=0,
    reference_price=None,
    reasons=(),
    late=False,
    actionable=True,
    value_limit=None,
)


def test_signals_come_back_as_they_were_decided_in_order_of_symbols(conn: Connection) -> None:
    write_signals(conn, "live", [BUY, HOLD], decided_at=DECIDED)
    back = read_signals(conn, "live", FRIDAY)
    assert back == [HOLD, BUY]
    assert isinstance(back[1].action, Action)
    assert all(isinstance(reason, Reason) for reason in back[1].reasons)
    assert [type(signal.late) for signal in back] == [bool, bool]


def test_signals_are_read_by_origin_and_session(conn: Connection) -> None:
    write_signals(conn, "live", [BUY], decided_at=DECIDED)
    write_signals(conn, "backtest", [replace(BUY, session=MONDAY)], decided_at=DECIDED)
    assert read_signals(conn, "live", MONDAY) == []
    assert len(read_signals(conn, "backtest", MONDAY)) == 1
    assert newest_signal_session(conn, "live") == FRIDAY
    assert newest_signal_session(conn, "backtest") == MONDAY


def test_before_the_first_decision_there_is_no_newest_session(conn: Connection) -> None:
    write_signals(conn, "live", [], decided_at=DECIDED)
    assert newest_signal_session(conn, "live") is None


def test_a_decision_is_made_once_for_a_session_and_symbol(store: Engine) -> None:
    with transaction(store) as conn:
        write_signals(conn, "live", [BUY], decided_at=DECIDED)
    with pytest.raises(StoreError, match="refused a row"), transaction(store) as conn:
        write_signals(conn, "live", [replace(BUY, label="gap")], decided_at=DECIDED)


def test_a_shell_sees_words_and_ones_and_zeros(conn: Connection) -> None:
    write_signals(conn, "live", [BUY], decided_at=DECIDED)
    row = conn.execute(text("SELECT session, action, reasons, late, actionable, decided_at FROM signals")).one()
    assert tuple(row) == ("2021-10-01", "BUY", '["CONFIDENT", "LATE"]', 1, 0, "2021-10-01T03:15:00Z")


def test_sessions_written_at_once_keep_the_instant_that_each_was_decided_at(conn: Connection) -> None:
    later = datetime(2021, 10, 4, 3, 15, tzinfo=UTC)
    both = [BUY, HOLD, replace(BUY, session=MONDAY)]
    write_signals(conn, "backtest", both, decided_at={FRIDAY: DECIDED, MONDAY: later})
    kept = conn.execute(text("SELECT session, decided_at FROM signals ORDER BY session, symbol")).all()
    assert [tuple(row) for row in kept] == [
        ("2021-10-01", "2021-10-01T03:15:00Z"),
        ("2021-10-01", "2021-10-01T03:15:00Z"),
        ("2021-10-04", "2021-10-04T03:15:00Z"),
    ]
