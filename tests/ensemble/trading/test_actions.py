"""Corporate actions on held shares: what the bars say of them, and what the account makes of it."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ensemble.trading.account import Account, Direction, ExitReason
from ensemble.trading.actions import HeldActions, held_actions
from ensemble.trading.continuity import adjusted_for
from ensemble.trading.demerger_table import Demerger, parse_demergers, shipped_demergers
from ensemble.trading.events import EventKind
from ensemble.trading.session_bars import Bar, SessionBars
from tests.ensemble.trading.builders import BEFORE, CALM, SESSION, holding, position, settled

DAYS = pd.bdate_range("2021-09-27", "2021-10-08", name="session")
"""From the Monday before SESSION, a Friday, to the Friday after it."""
JIO = Demerger("A", SESSION, 0.1)


def frame(**changed: dict[date, float]) -> pd.DataFrame:
    """Flat bars at 100, some of them at other prices: column=({session: price})."""
    bars = pd.DataFrame({"open": 100.0, "high": 101.0, "low": 99.0, "close": 100.0, "adj_close": 100.0}, index=DAYS)
    for column, prices in changed.items():
        for session, price in prices.items():
            bars.loc[pd.Timestamp(session), column] = price
    return bars


def restated(bars: pd.DataFrame, factor: float, *, before: date = SESSION) -> pd.DataFrame:
    """The history before that session divided by `factor`, as a feed does at a split."""
    scaled = bars.copy()
    scaled.loc[scaled.index < pd.Timestamp(before)] /= factor
    return scaled


def seen(bars: pd.DataFrame, account: Account | None = None, *, session: date = SESSION, **more: Any) -> HeldActions:
    found = held_actions(account or holding(position()), SessionBars({"A": bars}), session, **more)
    return found.get("A", HeldActions())


def dividend(bars: pd.DataFrame, amount: float, *, ex: date = SESSION) -> pd.DataFrame:
    """The feed's adjustment for a dividend paid from the close before its ex-date."""
    paid = bars.copy()
    earlier = paid.index < pd.Timestamp(ex)
    paid.loc[earlier, "adj_close"] *= 1 - amount / paid.loc[earlier, "close"].iloc[-1]
    return paid


def test_nothing_happens_to_most_positions() -> None:
    assert held_actions(holding(position()), SessionBars({"A": frame()}), SESSION) == {}


@pytest.mark.parametrize("factor", [2.0, 1.5, 1.1, 0.1, 5.0])
def test_a_split_shows_by_the_entrys_open_and_the_last_close(factor: float) -> None:
    assert seen(restated(frame(), factor)).factor == pytest.approx(factor, abs=1e-12)


def test_a_ratio_beside_a_plain_one_by_the_feeds_rounding_is_the_plain_one() -> None:
    bars = restated(frame(), 2).round(2)
    assert seen(bars, holding(position(entry_open=99.995, last_close=100.004))).factor == 2.0


def test_a_ratio_beside_none_is_taken_as_it_is() -> None:
    assert seen(restated(frame(), 1.10149)).factor == pytest.approx(1.10149)


@pytest.mark.parametrize(
    "corrected",
    [
        {"open": {BEFORE: 98.0}},
        {"close": {BEFORE: 50.0}},
        {"open": {BEFORE: 99.6}, "close": {BEFORE: 99.6}},
    ],
)
def test_a_correction_is_no_split(corrected: dict[str, dict[date, float]]) -> None:
    assert seen(frame(**corrected)).factor == 1.0


def test_a_correction_of_one_bar_of_several_is_no_split() -> None:
    account = holding(position(entry_session=date(2021, 9, 28)))
    one = {BEFORE: 50.0}
    assert seen(frame(open=one, high=one, low=one, close=one), account).factor == 1.0


@pytest.mark.parametrize("factor", [2.0, 1.1, 0.1])
@pytest.mark.parametrize("column", ["open", "close"])
def test_a_correction_hides_no_split(column: str, factor: float) -> None:
    bars = restated(frame(**{column: {BEFORE: 100.4}}), factor)
    assert seen(bars).factor == pytest.approx(factor, abs=1e-12)


@pytest.mark.parametrize("gone", [date(2021, 9, 28), BEFORE])
def test_the_bar_of_the_entry_or_of_the_last_mark_may_go_and_hides_no_split(gone: date) -> None:
    account = holding(position(entry_session=date(2021, 9, 28)))
    assert seen(restated(frame(), 1.5).drop(pd.Timestamp(gone)), account).factor == 1.5


@pytest.mark.parametrize("corrected", [1.03, 1.061])
def test_where_one_bar_has_gone_the_other_tells_only_of_plain_ratios(corrected: float) -> None:
    account = holding(position(entry_session=date(2021, 9, 28)))
    bars = frame(close={BEFORE: 100 / corrected}).drop(pd.Timestamp("2021-09-28"))
    assert seen(bars, account).factor == 1.0


def test_a_split_scales_the_position_and_leaves_its_worth() -> None:
    account = holding(position(quantity=101))
    before, after = account.equity, settled(account, {}, actions={"A": HeldActions(factor=1.5)})
    (held,) = after.account.positions
    assert held.quantity == 151
    prices = (held.entry_price, held.stop_price, held.target_price, held.last_close, held.entry_open)
    assert prices == pytest.approx([price / 1.5 for price in (100, 98, 104, 100, 100)])
    assert after.account.cash == pytest.approx(50_000 + 0.5 * 100 / 1.5)
    assert after.account.equity == pytest.approx(before)
    assert [one.kind for one in after.events][1:3] == [EventKind.SPLIT, EventKind.CASH_IN_LIEU]


def test_a_split_is_not_seen_again_in_what_it_left() -> None:
    bars = restated(frame(), 2)
    account = holding(position())
    after = settled(account, {}, actions=held_actions(account, SessionBars({"A": bars}), SESSION)).account
    assert after.held == {"A": 200}
    assert seen(bars, after, session=date(2021, 10, 4)).factor == 1.0


def test_a_restated_feed_stops_nobody_out() -> None:
    bars, account = restated(frame(), 2), holding(position())
    bars.loc[pd.Timestamp(SESSION) :] /= 2
    session_bars = SessionBars({"A": bars})
    actions = held_actions(account, session_bars, SESSION)
    settlement = settled(account, session_bars.on(SESSION), actions=actions)
    assert settlement.trades == ()
    assert settlement.account.held == {"A": 200}
    assert settlement.mark.equity == account.equity
    assert [trade.exit_reason for trade in settled(account, session_bars.on(SESSION)).trades] == [ExitReason.STOP]


def test_a_short_owes_more_shares_after_a_split() -> None:
    account = holding(position(quantity=101, direction=Direction.SHORT, stop_price=102.0, target_price=96.0))
    after = settled(account, {}, actions={"A": HeldActions(factor=1.5)}).account
    assert after.held == {"A": -151}
    assert after.equity == pytest.approx(account.equity)


def test_a_consolidation_that_leaves_no_whole_share_closes_the_position_at_its_last_close() -> None:
    account = holding(position(quantity=9))
    settlement = settled(account, {}, actions={"A": HeldActions(factor=0.1)})
    assert settlement.account.positions == ()
    assert (settlement.trades[0].exit_price, settlement.trades[0].cost) == (100.0, 0.0)
    assert settlement.account.equity == account.equity


def test_a_dividend_is_paid_once_from_the_close_before() -> None:
    bars, account = dividend(frame(), 3.0), holding(position())
    actions = seen(bars, account)
    assert actions.dividend == pytest.approx(3.0)
    assert actions.dividend_step == pytest.approx(0.97)
    after = settled(account, {"A": CALM}, actions={"A": actions}).account
    assert after.cash == 50_000
    assert after.receivable == pytest.approx(300)
    assert seen(bars, after, session=date(2021, 10, 4)) == HeldActions()


def test_a_dividend_that_the_feed_tells_late_is_credited_late() -> None:
    account, late = holding(position()), date(2021, 10, 6)
    bars = frame(close={date(2021, 10, 5): 110.0}, adj_close={date(2021, 10, 5): 110.0})
    assert seen(bars, account, session=date(2021, 10, 5)).dividend == 0
    assert seen(dividend(bars, 3.0), account, session=late).dividend == pytest.approx(3.0)


def test_two_dividends_are_two() -> None:
    first, second = date(2021, 10, 1), date(2021, 10, 5)
    one = dividend(frame(), 3.0, ex=first)
    two = dividend(one, 2.0, ex=second)
    account = settled(holding(position()), {}, actions={"A": seen(one)}).account
    assert seen(two, account, session=date(2021, 10, 4)).dividend == 0
    assert seen(two, account, session=second).dividend == pytest.approx(2.0)


def test_who_enters_on_the_ex_date_gets_none_and_what_comes_after_the_session_is_not_known() -> None:
    bars = dividend(frame(), 3.0, ex=BEFORE)
    assert seen(bars) == HeldActions()
    assert seen(dividend(frame(), 3.0, ex=date(2021, 10, 4))) == HeldActions()


def test_the_feeds_rounding_is_no_dividend() -> None:
    assert seen(frame(adj_close={BEFORE: 99.996})) == HeldActions()
    assert seen(frame(adj_close={BEFORE: 99.99})) == HeldActions()
    assert seen(frame(adj_close={BEFORE: 99.95})).dividend == pytest.approx(0.05)
    digits = frame(close={BEFORE: 100.00001, SESSION: 100.00001}, adj_close={BEFORE: 99.99001, SESSION: 100.00001})
    assert seen(digits).dividend == pytest.approx(0.01, rel=1e-4)


def test_a_dividend_is_worth_at_its_ex_date_and_cash_thirty_days_later_though_the_share_has_gone() -> None:
    account = holding(position())
    ex_date = settled(account, {"A": Bar(97, 98, 96, 97)}, actions={"A": HeldActions(dividend=3.0, dividend_step=0.97)})
    assert ex_date.account.positions == ()
    assert (ex_date.mark.cash, ex_date.mark.receivable, ex_date.mark.equity) == (59_700, 300, 60_000)
    assert ex_date.account.free_cash == 59_700
    before = settled(ex_date.account, {}, session=SESSION + timedelta(days=29))
    assert (before.mark.cash, before.mark.receivable) == (59_700, 300)
    paid = settled(before.account, {}, session=SESSION + timedelta(days=30))
    assert (paid.mark.cash, paid.mark.receivable, paid.mark.equity) == (60_000, 0, 60_000)
    assert [one.kind for one in paid.events] == [EventKind.DIVIDEND_PAID, EventKind.SETTLED]


def test_a_short_pays_the_dividend() -> None:
    account = holding(position(direction=Direction.SHORT, stop_price=102.0, target_price=50.0))
    settlement = settled(account, {}, actions={"A": HeldActions(dividend=3.0, dividend_step=0.97)})
    assert settlement.account.cash == 49_700
    assert settlement.account.positions[0].income == -300


def test_a_dividend_is_part_of_the_trades_profit() -> None:
    actions = {"A": HeldActions(dividend=3.0, dividend_step=0.97)}
    (trade,) = settled(holding(position()), {"A": Bar(97, 98, 96, 97)}, actions=actions).trades
    assert (trade.exit_price, trade.income, trade.profit) == (97, 300, 0)


def test_a_split_and_a_dividend_of_one_day_are_told_apart() -> None:
    actions = seen(dividend(frame(), 3.0) / 2)
    assert actions.factor == 2.0
    assert actions.dividend == pytest.approx(1.5)
    assert settled(holding(position()), {}, actions={"A": actions}).account.receivable == pytest.approx(300)


def fallen(left: float = 0.9) -> pd.DataFrame:
    """A tenth of the company gone at the open of SESSION, in a feed that leaves its history as it was."""
    bars = frame()
    bars.loc[pd.Timestamp(SESSION) :] *= left
    return bars


def test_a_demerger_is_cash_and_lowers_stop_and_target() -> None:
    account = holding(position())
    actions = held_actions(account, SessionBars({"A": fallen()}), SESSION, [JIO])
    assert set(actions) == {"A"}
    assert actions["A"] == HeldActions(demerger=actions["A"].demerger)
    assert actions["A"].demerger == pytest.approx(10.0)
    settlement = settled(account, {"A": Bar(90, 91, 89, 90)}, actions=actions)
    (held,) = settlement.account.positions
    assert held.stop_price == pytest.approx(88)
    assert held.target_price == pytest.approx(94)
    assert settlement.account.equity == pytest.approx(account.equity)


@pytest.mark.parametrize("left", [0.93, 0.87])
@pytest.mark.parametrize("continued", [True, False])
def test_a_demerger_whose_open_lies_beside_it_is_one_where_adjusted_closes_go_on_over_it(
    left: float, continued: bool
) -> None:
    bars = adjusted_for(fallen(left), {SESSION: 0.9}) if continued else fallen(left)
    assert (bars["adj_close"].iloc[0] < 100) == continued
    account, session_bars = holding(position()), SessionBars({"A": bars})
    settlement = settled(account, session_bars.on(SESSION), actions=held_actions(account, session_bars, SESSION, [JIO]))
    kinds = {one.kind for one in settlement.events}
    assert EventKind.DEMERGER in kinds
    assert EventKind.EX_DIVIDEND not in kinds
    assert [(one.stop_price, one.target_price) for one in settlement.account.positions] == (
        [(88, 94)] if left > 0.9 else []
    )


@pytest.mark.parametrize("continued", [True, False])
def test_a_demerger_over_which_the_bars_hardly_fell_is_none(continued: bool) -> None:
    bars = adjusted_for(fallen(0.96), {SESSION: 0.9}) if continued else fallen(0.96)
    assert seen(bars, demergers=[JIO]) == HeldActions()


@pytest.mark.parametrize("continued", [True, False])
def test_a_demerger_whose_session_has_no_bar_is_credited_at_the_next(continued: bool) -> None:
    bars, monday = fallen().drop(pd.Timestamp(SESSION)), date(2021, 10, 4)
    bars = adjusted_for(bars, {SESSION: 0.9}) if continued else bars
    assert seen(bars, demergers=[JIO]) == HeldActions()
    actions = seen(bars, session=monday, demergers=[JIO])
    assert actions.demerger == pytest.approx(10.0)
    assert actions == HeldActions(demerger=actions.demerger)


def test_a_demerger_whose_bar_comes_late_is_credited_with_it_on_a_day_without_one() -> None:
    monday = date(2021, 10, 4)
    actions = seen(fallen().drop(pd.Timestamp(monday)), session=monday, demergers=[JIO])
    assert [session for session, _ in actions.late] == [SESSION]
    assert actions.demerger == pytest.approx(10.0)


def test_a_demerger_is_credited_in_its_session_alone_and_only_where_there_is_a_bar() -> None:
    monday = date(2021, 10, 4)
    marked = holding(position(last_session=SESSION))
    assert held_actions(marked, SessionBars({"A": fallen()}), monday, [JIO]) == {}
    bought_then = holding(position(entry_session=SESSION, last_session=SESSION, entry_open=90.0, last_close=90.0))
    assert held_actions(bought_then, SessionBars({"A": fallen()}), monday, [JIO]) == {}
    gap = fallen().drop(pd.Timestamp(SESSION))
    assert held_actions(holding(position()), SessionBars({"A": gap}), SESSION, [JIO]) == {}


def test_a_feed_that_has_scaled_its_history_is_not_counted_twice() -> None:
    bars = restated(fallen(), 1 / 0.9)
    actions = seen(bars, demergers=[JIO])
    assert actions == HeldActions(factor=actions.factor)
    assert actions.factor == pytest.approx(1 / 0.9, rel=1e-4)
    in_its_scale = holding(position(entry_open=90.0, last_close=90.0))
    assert held_actions(in_its_scale, SessionBars({"A": bars}), SESSION, [JIO]) == {}


def test_a_feed_that_counts_a_demerger_as_a_dividend_is_not_counted_twice() -> None:
    bars = dividend(fallen(), 10.0)
    actions = seen(bars, demergers=[JIO])
    assert actions.dividend == 0
    assert actions.demerger == pytest.approx(10)
    after = replace(holding(position(last_session=SESSION, last_close=90.0)))
    assert seen(bars, after, session=date(2021, 10, 4), demergers=[JIO]) == HeldActions()
    both = dividend(bars, 1.8, ex=date(2021, 10, 5))
    assert seen(both, after, session=date(2021, 10, 5), demergers=[JIO]).dividend == pytest.approx(1.8)


def test_a_demerger_is_found_in_the_scale_of_a_later_split() -> None:
    bars = fallen() / 2
    account = holding(position(entry_open=50.0, last_close=50.0))
    assert seen(bars, account, demergers=[JIO]).demerger == pytest.approx(5.0)


def test_a_demerger_of_another_symbol_is_none_of_this_ones() -> None:
    assert seen(fallen(), demergers=[replace(JIO, symbol="B")]) == HeldActions()


@given(st.floats(0.2, 5), st.floats(0, 20))
def test_what_the_bars_say_does_not_depend_on_bars_after_the_session(factor: float, paid: float) -> None:
    bars = dividend(restated(frame(), 2), 1.0)
    later = bars.copy()
    after = later.index > pd.Timestamp(SESSION)
    later.loc[after] *= factor
    later.loc[after, "adj_close"] += paid
    assert seen(later) == seen(bars)


def test_the_table_of_the_nse_has_the_demergers_of_reliance() -> None:
    table = {one.session: one for one in shipped_demergers("XNSE")}
    assert {one.symbol for one in table.values()} == {"RELIANCE.NS"}
    assert table[date(2023, 7, 20)].share == pytest.approx(261.85 / 2841.85)
    assert shipped_demergers("XNYS") == ()


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["symbol,session,value"], "it has no column close_before"),
        (["symbol,session,value,close_before", "A,2021-10-01,10,0"], "line 2 was not read"),
        (["symbol,session,value,close_before", "A,yesterday,10,100"], "line 2 was not read"),
        (["symbol,session,value,close_before", "A,2021-10-01,100,100"], "line 2 had value 100; it must lie between"),
        (["symbol,session,value,close_before", "A,2021-10-01"], "line 2 was not read"),
    ],
)
def test_a_row_that_is_no_demerger_is_refused_by_its_line(lines: list[str], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parse_demergers(lines)
