"""The sides of `fills` do the same work, or what is compared means nothing."""

import numpy as np
import pytest

from ensemble.fills import fill_exits
from ensemble.trading.costs import Costs, Schedule
from ensemble.trading.rules import TradingRules
from tests.bench import fills
from tests.ensemble.trading.plans import walk

FREE = TradingRules(fills.LIMITS, Costs(schedule=Schedule.FLAT, commission_bp=0, slippage_bp=0))


def test_the_loop_makes_as_many_trades_as_the_account() -> None:
    bars = [bar for bar in walk(0, 600, move_pct=2.0) if bar is not None]
    trades = fills.settle_all(bars, [fills.buy(number) for number in range(len(bars))], FREE)
    assert trades > 100
    assert fills.shortest_loop(bars) == trades


def test_the_plain_pass_sees_the_same_bars_reach_a_barrier() -> None:
    bars = [bar for bar in walk(0, 600, move_pct=2.0) if bar is not None and bar.high > bar.low]
    columns = fills.columns_of(bars, len(bars))
    stop, target = columns.open * 0.98, columns.open * 1.04
    exits = fill_exits(columns, stop=stop, target=target, last=True)
    np.testing.assert_array_equal(fills.plain_pass(columns, stop, target), exits.price)


def test_seconds_are_of_a_million_bars() -> None:
    assert fills.per_million({"a": [0.5, 1.0]}, 100_000)["a"] == pytest.approx([5.0, 10.0])
