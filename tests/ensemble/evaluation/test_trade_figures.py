"""Figures counted by hand, and slippage compared with the bars that the trades were filled in."""

from dataclasses import replace
from datetime import date
from typing import Literal

import numpy as np
import pytest

from ensemble.evaluation.replay import replay
from ensemble.evaluation.trade_figures import (
    TradeFigures,
    cost_figures,
    prices_seen,
    round_trip_bp,
    slippage,
    trade_figures,
    trade_returns_bp,
)
from ensemble.trading.account import Direction, ExitReason, Trade
from ensemble.trading.costs import Costs, Schedule
from ensemble.trading.limits import RiskLimits
from ensemble.trading.rules import TradingRules
from ensemble.trading.signals import SignalOptions
from tests.ensemble.evaluation.conftest import MakeTraded

SESSIONS = [date(2021, 1, day) for day in (4, 5, 6, 7, 8)]
WON = Trade("A", 10, SESSIONS[0], 100.0, SESSIONS[2], 106.0, ExitReason.TARGET, 20.0, 40.0)
LOST = Trade("A", 20, SESSIONS[3], 50.0, SESSIONS[3], 49.0, ExitReason.STOP, 5.0, -25.0)
EVEN = Trade("B", 1, SESSIONS[0], 100.0, SESSIONS[4], 101.0, ExitReason.TIME, 1.0, 0.0)


def test_hits_payoff_and_expectancy_are_counted_after_costs() -> None:
    found = trade_figures([WON, LOST, EVEN, replace(WON, profit=10.0)], SESSIONS)
    assert found == TradeFigures(
        trades=4,
        hit_rate_pct=50.0,
        mean_trade_bp=pytest.approx((400 - 250 + 0 + 100) / 4),  # type: ignore[arg-type]
        payoff_ratio=1.0,
        profit_factor=2.0,
        expectancy=6.25,
        profit=25.0,
        income=0.0,
        holding_sessions=(3 + 1 + 5 + 3) / 4,
    )


def test_without_a_trade_nothing_is_claimed() -> None:
    assert trade_figures([], SESSIONS) == TradeFigures(0, None, None, None, None, None, 0.0, 0.0, None)


def test_who_only_won_or_only_lost_has_no_payoff_ratio() -> None:
    assert trade_figures([WON], SESSIONS).payoff_ratio is None
    assert trade_figures([WON], SESSIONS).profit_factor is None
    assert trade_figures([LOST], SESSIONS).payoff_ratio is None
    assert trade_figures([LOST], SESSIONS).profit_factor == 0


def test_a_target_does_not_slip_and_all_else_does_on_both_sides() -> None:
    costs = Costs(slippage_bp=100)
    assert prices_seen(replace(WON, entry_price=101.0), costs) == pytest.approx((100.0, 106.0))
    assert slippage(replace(WON, entry_price=101.0), costs) == pytest.approx(10.0)
    stopped = replace(LOST, entry_price=50.5, exit_price=49.5)
    assert prices_seen(stopped, costs) == pytest.approx((50.0, 50.0))
    assert slippage(stopped, costs) == pytest.approx(20 * (0.5 + 0.5))


def test_costs_are_a_share_of_what_would_have_been_earned_without_them() -> None:
    found = cost_figures([WON, LOST], costs=Costs(slippage_bp=0), mean_equity=1000.0, years=0.5)
    assert (found.fees, found.slippage, found.gross_profit) == (25.0, 0.0, 40.0)
    assert found.share_of_gross_pct == pytest.approx(100 * 25 / 40)
    assert found.a_year_pct == pytest.approx(100 * 25 / 1000 * 2)
    assert cost_figures([LOST], costs=Costs(), mean_equity=1.0, years=1.0).share_of_gross_pct is None


@pytest.mark.parametrize("product", ["cash", "futures"])
def test_the_prices_seen_are_those_of_the_bars(product: Literal["cash", "futures"], make_traded: MakeTraded) -> None:
    market = make_traded("A", "B", sessions=900)
    rules = TradingRules(RiskLimits(max_holding_sessions=4, product=product), Costs(slippage_bp=30))
    random = np.random.default_rng(3)
    said = {session: {"A": random.random(), "B": random.random()} for session in market.traded.sessions}
    settled = replay(said, market.traded, options=SignalOptions(min_confidence=0.55), rules=rules)
    trades = [trade for one in settled for trade in one.trades]
    seen = set[tuple[Direction, ExitReason]]()
    for trade in trades:
        entry, left = prices_seen(trade, rules.costs)
        entered, last = (market.traded.bars.on(day)[trade.symbol] for day in (trade.entry_session, trade.exit_session))
        worse, better = (min, max) if trade.direction is Direction.LONG else (max, min)
        stop = trade.entry_price * (1 - 0.02 * trade.direction.sign)
        target = trade.entry_price * (1 + 0.04 * trade.direction.sign)
        expected = {
            ExitReason.SIGNAL: last.open,
            ExitReason.TIME: last.close,
            ExitReason.STOP: worse(last.open, stop),
            ExitReason.TARGET: better(last.open, target),
        }
        assert entry == pytest.approx(entered.open)
        assert left == pytest.approx(expected[trade.exit_reason])
        assert slippage(trade, rules.costs) > 0
        seen.add((trade.direction, trade.exit_reason))
    assert len(seen) == (4 if product == "cash" else 8)


def test_a_round_trip_costs_what_a_trade_at_one_price_loses() -> None:
    rules = TradingRules(RiskLimits(), Costs(schedule=Schedule.FLAT, commission_bp=12, slippage_bp=5))
    assert round_trip_bp(rules, session=SESSIONS[0]) == pytest.approx(34.0)


def test_a_trades_return_is_of_what_its_shares_cost() -> None:
    assert trade_returns_bp([WON, LOST]) == pytest.approx([400.0, -250.0])
