from datetime import date

import numpy as np
import pandas as pd
import pytest

from ensemble.arrays import Floats
from ensemble.evaluation.buy_and_hold import hold_returns, scaled_returns
from ensemble.trading.costs import Costs, Schedule
from ensemble.trading.limits import RiskLimits
from ensemble.trading.rules import TradingRules

DAYS = [date(2021, 1, day) for day in (4, 5, 6, 7)]
FREE = TradingRules(RiskLimits(initial_capital=1000), Costs(schedule=Schedule.FLAT, commission_bp=0, slippage_bp=0))


def bars(opens: list[float], closes: list[float], adjusted: list[float] | None = None) -> pd.DataFrame:
    index = pd.DatetimeIndex(DAYS, name="session")
    prices = {
        "open": opens,
        "close": closes,
        "high": np.maximum(opens, closes) + 1,
        "low": np.minimum(opens, closes) - 1,
    }
    return pd.DataFrame(prices | {"adj_close": adjusted or closes, "volume": 1.0}, index=index)


def worth(frames: dict[str, pd.DataFrame], rules: TradingRules = FREE) -> Floats:
    return np.asarray(rules.limits.initial_capital * np.cumprod(1 + hold_returns(frames, DAYS, rules)))


def test_it_is_bought_at_the_first_open_and_follows_the_close() -> None:
    frame = bars([100, 1, 1, 1], [110, 120, 90, 130])
    assert worth({"A": frame}) == pytest.approx([1100, 1200, 900, 1300])


def test_a_dividend_is_earned_and_invested_again() -> None:
    """A tenth of the price is paid out before the third close, which falls by it."""
    frame = bars([100, 1, 1, 1], [100, 100, 90, 90], adjusted=[90, 90, 90, 90])
    assert worth({"A": frame}) == pytest.approx([1000, 1000, 1000, 1000])


def test_the_entry_costs_fees_and_slippage_once() -> None:
    rules = TradingRules(FREE.limits, Costs(schedule=Schedule.FLAT, commission_bp=100, slippage_bp=200))
    frame = bars([100, 1, 1, 1], [100, 100, 110, 110])
    bought = 1000 / 1.01 / 1.02
    assert worth({"A": frame}, rules) == pytest.approx([bought, bought, 1.1 * bought, 1.1 * bought])


def test_each_symbol_gets_an_equal_part_which_is_not_moved_later() -> None:
    up, down = bars([100, 1, 1, 1], [200, 400, 400, 400]), bars([100, 1, 1, 1], [50, 50, 50, 0.1])
    assert worth({"A": up, "B": down}) == pytest.approx([1250, 2250, 2250, 2000.5])


def test_where_nobody_could_buy_the_part_waits_in_cash() -> None:
    locked = bars([100, 100, 100, 100], [100, 100, 110, 120])
    locked.loc[locked.index[:2], ["high", "low"]] = 100.0
    assert worth({"A": locked}) == pytest.approx([1000, 1000, 1100, 1200])
    missing = bars([100, 100, 100, 100], [100, 100, 110, 120]).iloc[2:]
    assert worth({"A": missing}) == pytest.approx([1000, 1000, 1100, 1200])
    assert worth({"A": missing.iloc[:0]}) == pytest.approx([1000] * 4)


def test_a_session_without_a_bar_keeps_the_last_price() -> None:
    assert worth({"A": bars([100, 1, 1, 1], [110, 5, 90, 90]).drop(pd.Timestamp(DAYS[1]))}) == pytest.approx(
        [1100, 1100, 900, 900]
    )


def test_half_of_it_moves_half_as_much() -> None:
    assert scaled_returns(np.array([0.1, -0.2]), 0.5) == pytest.approx([0.05, -0.1])
