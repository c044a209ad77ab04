"""A bar that nobody can believe on its day, for a feed may tell of a split a session late, waits until the next."""

from dataclasses import replace
from datetime import date, timedelta

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ensemble.trading.account import Account, Direction, ExitReason, Settlement, Trade
from ensemble.trading.actions import held_actions
from ensemble.trading.demerger_table import Demerger
from ensemble.trading.events import EventKind, Unfilled
from ensemble.trading.session_bars import OHLC, Bar, SessionBars
from tests.ensemble.trading.builders import BEFORE, CALM, SESSION, holding, leaving, limited, position, settled

PATIENT = limited(max_holding_sessions=20)
NEXT = SESSION + timedelta(days=1)
FLAT = Bar(100, 101, 99, 100)


def history(*bars: Bar | None, first: date = BEFORE) -> pd.DataFrame:
    """Bars day by day from that session on, None for a session without one."""
    there = {pd.Timestamp(first + timedelta(days=day)): bar for day, bar in enumerate(bars) if bar is not None}
    rows = [[*(getattr(bar, name) for name in OHLC), bar.close] for bar in there.values()]
    return pd.DataFrame(rows, pd.DatetimeIndex(list(there), name="session"), [*OHLC, "adj_close"])


def settled_by(account: Account, bars: pd.DataFrame, days: int, *orders: object, **more: object) -> Settlement:
    """Session SESSION + `days`, by what the feed shows then."""
    session = SESSION + timedelta(days=days)
    known = SessionBars({"A": bars.loc[: pd.Timestamp(session)]})
    actions = held_actions(account, known, session, **more)  # type: ignore[arg-type]
    return settled(account, known.on(session), *orders, rules=PATIENT, actions=actions, session=session)  # type: ignore[arg-type]


def scaled(bar: Bar, factor: float) -> Bar:
    return Bar(*(getattr(bar, name) / factor for name in OHLC))


@pytest.mark.parametrize("factor", [1.5, 4 / 3, 1.2, 0.5])
@pytest.mark.parametrize("direction", [Direction.LONG, Direction.SHORT])
def test_a_split_that_the_feed_tells_a_session_late_stops_nobody_out(factor: float, direction: Direction) -> None:
    stop, target = (98.0, 104.0) if direction is Direction.LONG else (102.0, 96.0)
    own = position(quantity=600, direction=direction, stop_price=stop, target_price=target)
    account = holding(own, cash=200_000.0)
    after = [scaled(FLAT, factor)] * 2
    ex_date = settled_by(account, history(FLAT, *after), 0)
    assert ex_date.trades == ()
    assert [(one.kind, one.reason) for one in ex_date.events if one.kind is EventKind.UNFILLED] == [
        (EventKind.UNFILLED, Unfilled.OUT_OF_SCALE)
    ]
    assert ex_date.mark.equity == account.equity
    told = settled_by(ex_date.account, history(scaled(FLAT, factor), *after), 1)
    assert told.trades == ()
    (held,) = told.account.positions
    assert (held.quantity, held.sessions_held, held.last_session) == (
        round(600 * factor),
        3,
        SESSION + timedelta(days=1),
    )
    assert told.mark.equity == pytest.approx(account.equity)
    assert settled_by(told.account, history(*[scaled(FLAT, factor)] * 4), 2).trades == ()


def test_a_crash_is_filled_at_its_own_open_a_session_later_whatever_comes_then() -> None:
    bars = history(FLAT, Bar(70, 75, 65, 74), Bar(99, 101, 98, 100))
    first = settled_by(holding(position()), bars, 0)
    assert (first.trades, first.mark.equity) == ((), 60_000)
    second = settled_by(first.account, bars, 1)
    (trade,) = second.trades
    assert (trade.exit_price, trade.exit_reason, trade.exit_session) == (
        70,
        ExitReason.STOP,
        SESSION + timedelta(days=1),
    )
    assert second.account.positions == ()


def test_an_order_to_leave_at_an_open_that_nobody_believes_comes_to_nothing() -> None:
    bars = history(FLAT, Bar(70, 75, 65, 74))
    settlement = settled_by(holding(position()), bars, 0, leaving())
    assert settlement.account.held == {"A": 100}
    assert [one.reason for one in settlement.events if one.kind is EventKind.UNFILLED] == [Unfilled.OUT_OF_SCALE]


def test_a_bad_day_is_believed_at_once() -> None:
    (trade,) = settled_by(holding(position()), history(FLAT, Bar(88, 90, 85, 86)), 0).trades
    assert trade.exit_price == 88


def test_a_fall_by_a_demerger_that_is_listed_is_believed_at_once() -> None:
    bars = history(FLAT, Bar(75, 76, 74, 75))
    settlement = settled_by(holding(position()), bars, 0, demergers=[Demerger("A", SESSION, 0.25)])
    assert [one.reason for one in settlement.events if one.kind is EventKind.UNFILLED] == []
    assert settlement.account.positions[0].last_close == 75


def paid(bars: pd.DataFrame, amount: float) -> pd.DataFrame:
    """The bars as a feed adjusts them for a dividend of the first session after BEFORE."""
    return bars.assign(adj_close=bars["adj_close"].where(bars.index > pd.Timestamp(BEFORE), 100 - amount))


def test_a_fall_by_a_dividend_that_is_told_is_believed_at_once() -> None:
    account = holding(position(quantity=500, stop_price=78.0))
    bars = paid(history(FLAT, Bar(80, 81, 79, 80), Bar(80, 81, 79, 80)), 20)
    ex_date = settled_by(account, bars, 0)
    after = settled_by(ex_date.account, bars, 1)
    assert [one.mark.equity for one in (ex_date, after)] == [100_000, 100_000]
    assert (after.account.peak_equity, after.account.holds) == (100_000, ())


def test_what_a_crash_pays_out_waits_with_its_bar() -> None:
    account = holding(position(quantity=500, stop_price=40.0))
    bars = paid(history(FLAT, Bar(60, 61, 59, 60), Bar(60, 61, 59, 60)), 20)
    first = settled_by(account, bars, 0)
    assert (first.mark.equity, first.account.receivable) == (100_000, 0)
    second = settled_by(first.account, bars, 1)
    assert (second.mark.equity, second.account.receivable) == pytest.approx((90_000, 10_000))
    assert second.account.peak_equity == 100_000


@pytest.mark.parametrize("open_", [75, 45])
def test_a_demerger_far_beside_its_open_waits_with_its_bar_and_is_credited_once(open_: float) -> None:
    account, gone = holding(position(stop_price=5.0)), [Demerger("A", SESSION, 0.4)]
    bars = history(FLAT, *[Bar(open_, open_, open_, open_)] * 2)
    first = settled_by(account, bars, 0, demergers=gone)
    assert (first.mark.equity, first.account.cash) == (60_000, 50_000)
    second = settled_by(first.account, bars, 1, demergers=gone)
    assert (second.mark.equity, second.account.cash) == (54_000 + 100 * open_, 54_000)


def test_a_bar_that_the_feed_had_not_in_its_session_is_looked_at_in_the_next() -> None:
    account = holding(position())
    first = settled_by(account, history(FLAT, None), 0)
    assert first.account == account
    second = settled_by(first.account, history(FLAT, Bar(100, 101, 97, 100), FLAT), 1)
    assert [(trade.exit_price, trade.exit_reason) for trade in second.trades] == [(98, ExitReason.STOP)]
    calm = settled_by(first.account, history(FLAT, CALM, FLAT), 1)
    assert [(one.session, one.price) for one in calm.events if one.kind is EventKind.MARKED] == [
        (SESSION, 100.5),
        (NEXT, 100),
    ]
    assert calm.account.positions[0].sessions_held == 3


price = st.floats(60, 160)
bar = st.tuples(price, price, price, price).map(lambda four: Bar(four[0], max(four), min(four), four[3]))


@given(st.lists(bar, min_size=1, max_size=5))
@settings(deadline=None)
def test_what_waits_is_filled_as_if_it_had_not(path: list[Bar]) -> None:
    bars = history(FLAT, *path, *[scaled(FLAT, 100 / path[-1].close)] * 2)
    waiting = believing = holding(position())
    filled, at_once = list[Trade](), list[Trade]()
    for day in range(len(path) + 2):
        one = settled_by(waiting, bars, day)
        session = SESSION + timedelta(days=day)
        other = settled(believing, SessionBars({"A": bars}).on(session), rules=PATIENT, session=session)
        waiting, believing = one.account, other.account
        filled += one.trades
        at_once += other.trades
    assert [replace(trade, exit_session=SESSION) for trade in filled] == [
        replace(trade, exit_session=SESSION) for trade in at_once
    ]
    assert all(
        0 <= (late.exit_session - early.exit_session).days <= 1 for late, early in zip(filled, at_once, strict=True)
    )


def test_nothing_is_late_of_a_position_that_was_marked_in_every_session() -> None:
    assert held_actions(holding(position()), SessionBars({"A": history(FLAT, CALM)}), SESSION) == {}
