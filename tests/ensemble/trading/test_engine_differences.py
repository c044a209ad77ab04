"""Where the account and backtesting.py part: what they do, what the account does, and why."""

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest
from backtesting import Backtest, Strategy

from ensemble.fills import ExitReason
from ensemble.trading.session_bars import Bar
from tests.ensemble.trading.independent_engine import statistics
from tests.ensemble.trading.plans import Plan, account_history

CALM = Bar(100, 101, 99, 100)
SURE, UNSURE, SURE_TO_FALL = 0.9, 0.5, 0.1
Script = Mapping[int, Callable[[Strategy], object]]


def plan(*later: Bar, probabilities: Mapping[int, float] | None = None, **rules: Any) -> Plan:
    """Two calm bars, then `later`, whose first is bought at: 100 shares while it opens near 100."""
    bars = [CALM, CALM, *later]
    said = {2: SURE} if probabilities is None else probabilities
    return Plan(bars, [said.get(session, UNSURE) for session in range(len(bars))], **rules)


class Scripted(Strategy):  # type: ignore[misc]  # it has no types
    """Does what the script says after so many bars; the next open fills it."""

    script: Any = None

    def init(self) -> None:
        pass

    def next(self) -> None:
        self.script.get(len(self.data), lambda _: None)(self)


def theirs(plan: Plan, script: Script, **options: Any) -> Any:
    rows = [(bar.open, bar.high, bar.low, bar.close) for bar in plan.bars if bar]
    index = pd.date_range("2021-01-04", periods=len(rows))
    bars = pd.DataFrame(rows, index, ["Open", "High", "Low", "Close"])
    return statistics(Backtest(bars, Scripted, **{"cash": plan.cash, **options}), script=script)


def buy(quantity: int = 100, **barriers: float) -> Callable[[Strategy], object]:
    return lambda strategy: strategy.buy(size=quantity, **barriers)


def close(strategy: Strategy) -> None:
    strategy.position.close()


def exits(stats: Any) -> list[float]:
    return [float(price) for price in stats["_trades"]["ExitPrice"]]


def test_stop_and_target_are_set_from_the_fill_not_from_the_close_before() -> None:
    """There they are numbers of the order, so an open 10 % higher risks 11 % instead of 2 %."""
    gap = plan(Bar(110, 111, 109, 110), Bar(109, 110, 100, 105))
    assert exits(theirs(gap, {2: buy(sl=98)})) == []
    (trade,) = account_history(gap)[-1].trades
    assert (trade.entry_price, trade.exit_reason) == (110, ExitReason.STOP)
    assert trade.exit_price == pytest.approx(107.8)


def test_an_open_beyond_the_target_is_sold_at_before_the_low_reaches_the_stop() -> None:
    """There the stop is looked at first in every bar, also where the open, which comes first, has closed the trade."""
    both = plan(CALM, Bar(107, 108, 90, 91))
    assert exits(theirs(both, {2: buy(sl=98, tp=104)})) == [98]
    (trade,) = account_history(both)[-1].trades
    assert (trade.exit_price, trade.exit_reason) == (107, ExitReason.TARGET)


def test_an_exit_at_the_market_slips_too() -> None:
    """There the spread is paid at the entry alone, so half of the slippage is forgotten."""
    stopped = plan(CALM, Bar(100, 100, 95, 96), entry_slippage_bp=50.0)
    stats = theirs(stopped, {2: buy(sl=100.5 * 0.98)}, spread=0.005)
    (trade,) = account_history(stopped)[-1].trades
    assert float(stats["_trades"]["EntryPrice"].iloc[0]) == pytest.approx(trade.entry_price)
    assert exits(stats) == pytest.approx([trade.exit_price / 0.995])


@pytest.mark.parametrize("locked_at", [90.0, 110.0])
def test_a_locked_bar_closes_no_position(locked_at: float) -> None:
    """There a stop is filled at the lower circuit band, where nobody buys, and a target at the upper one."""
    locked = plan(CALM, Bar(*(locked_at,) * 4))
    assert exits(theirs(locked, {2: buy(sl=98, tp=104)})) == [locked_at]
    last = account_history(locked)[-1]
    assert last.trades == ()
    assert last.mark.exposure == 100 * locked_at


def test_a_locked_bar_opens_no_position() -> None:
    """There whoever wants to buy at the upper circuit band may."""
    locked = plan(Bar(*(110.0,) * 4), Bar(112, 113, 111, 112))
    assert exits(theirs(locked, {2: buy(), 3: close})) == [112]
    assert [settlement.mark.positions for settlement in account_history(locked)] == [0] * 4


def test_a_time_exit_is_filled_at_the_close_and_an_entry_never_at_a_price_that_decided_it() -> None:
    """There a close is filled at the next open, or, with `trade_on_close`, entries too at the close they saw."""
    calm = plan(Bar(103, 104, 102, 103), Bar(102, 103, 101, 101.5), CALM, max_holding_sessions=2)
    script = {2: buy(), 4: close}
    assert theirs(calm, script)["_trades"][["EntryPrice", "ExitPrice"]].to_numpy().tolist() == [[103, 100]]
    at_close = theirs(calm, script, trade_on_close=True)
    assert at_close["_trades"][["EntryPrice", "ExitPrice"]].to_numpy().tolist() == [[100, 101.5]]
    (trade,) = account_history(calm)[3].trades
    assert (trade.entry_price, trade.exit_price, trade.exit_reason) == (103, 101.5, ExitReason.TIME)


def test_an_order_that_the_cash_does_not_pay_for_is_cut_to_what_it_pays_for() -> None:
    """There it is cancelled: a gap up leaves the account in cash, and buys that follow a rise drop out unseen."""
    gap = plan(Bar(101, 101.5, 100.5, 101), position_pct=100.0)
    stats = theirs(gap, {2: buy(1_000)})
    assert float(stats["Exposure Time [%]"]) == 0
    (held,) = account_history(gap)[-1].account.positions
    assert held.quantity == math.floor(100_000 / 101)


def test_a_sale_pays_for_no_entry_at_the_same_open() -> None:
    """There the cash of a sale is there at once, whatever order the exchange would have filled them in."""
    full = plan(CALM, CALM, CALM, probabilities={2: SURE, 3: SURE_TO_FALL, 4: SURE}, position_pct=100.0)

    def sell_and_buy(strategy: Strategy) -> None:
        strategy.position.close()
        strategy.buy(size=1_000)

    bought_again = theirs(full, {2: buy(1_000), 3: sell_and_buy, 4: close})
    assert bought_again["_trades"]["EntryBar"].tolist() == [2, 3]
    held = [settlement.mark.positions for settlement in account_history(full)]
    assert held == [0, 0, 1, 0, 1]


def test_what_is_held_when_the_data_end_is_marked_at_the_close_and_not_sold() -> None:
    """There `finalize_trades` sells at the open of the last bar, a price from before the end."""
    open_end = plan(CALM, Bar(99, 103, 98.5, 102))
    assert exits(theirs(open_end, {2: buy()}, finalize_trades=True)) == [99]
    last = account_history(open_end)[-1]
    assert last.trades == ()
    assert last.mark.equity == 100_000 + 100 * 2


def test_a_sell_with_nothing_held_opens_no_short_in_cash_shares() -> None:
    """There it borrows the shares; NSE delivery has none to borrow overnight."""
    nothing = plan(CALM, CALM, CALM, probabilities={2: SURE_TO_FALL})
    stats = theirs(nothing, {2: lambda strategy: strategy.sell(size=100), 3: close})
    assert stats["_trades"]["Size"].tolist() == [-100]
    assert [settlement.account.positions for settlement in account_history(nothing)] == [()] * 5


def test_the_differences_are_of_fills_alone_a_calm_trade_is_the_same() -> None:
    """The harness of this file itself: where nothing is documented, both agree to the last digit."""
    quiet = replace(plan(CALM, Bar(100, 105, 99, 104)), commission_bp=10.0)
    stats = theirs(quiet, {2: buy(sl=98, tp=104)}, commission=0.001)["_trades"]
    (trade,) = account_history(quiet)[-1].trades
    assert stats[["EntryPrice", "ExitPrice"]].to_numpy().tolist() == [[trade.entry_price, trade.exit_price]]
    assert stats[["Commission", "PnL"]].iloc[0].tolist() == pytest.approx([trade.cost, trade.profit])
