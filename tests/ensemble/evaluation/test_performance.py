"""Exposure, turnover and the parts by hand; the account's path from its settlements."""

from datetime import date

import numpy as np
import pytest

from ensemble.evaluation.account_path import AccountPath, path_of
from ensemble.evaluation.entry_draws import Habit
from ensemble.evaluation.performance import by_exit_reason, by_year, performance
from ensemble.evaluation.replay import replay
from ensemble.trading.account import AccountMark, Direction, ExitReason, Trade
from ensemble.trading.costs import Costs
from ensemble.trading.limits import RiskLimits
from ensemble.trading.rules import TradingRules
from ensemble.trading.signals import SignalOptions
from tests.ensemble.evaluation.conftest import MadeTraded, MakeTraded

DAYS = [date(2020, 12, 30), date(2020, 12, 31), date(2021, 1, 1), date(2021, 1, 4)]
RULES = TradingRules(RiskLimits(max_holding_sessions=4), Costs())


def mark(day: date, equity: float, exposure: float) -> AccountMark:
    return AccountMark(day, equity - exposure, equity, exposure, int(exposure > 0), max(equity, 1000.0), 0.0)


def two_trades() -> AccountPath:
    """One trade over the turn of the year, one that came and went within a session."""
    marks = [mark(DAYS[0], 1000, 0), mark(DAYS[1], 1100, 550), mark(DAYS[2], 990, 0), mark(DAYS[3], 1010, 0)]
    trades = [
        Trade("A", 5, DAYS[1], 100.0, DAYS[2], 88.0, ExitReason.STOP, 10.0, -70.0),
        Trade("A", 1, DAYS[3], 202.0, DAYS[3], 242.0, ExitReason.TARGET, 20.0, 20.0),
    ]
    return AccountPath(1000.0, marks, trades, [])


def traded(market: MadeTraded) -> AccountPath:
    random = np.random.default_rng(3)
    said = {session: dict.fromkeys(market.bars, random.random()) for session in market.traded.sessions}
    settled = replay(said, market.traded, options=SignalOptions(min_confidence=0.55), rules=RULES)
    return path_of(settled, capital=RULES.limits.initial_capital)


def test_what_was_held_until_it_left_counts_as_invested() -> None:
    path = two_trades()
    assert path.invested == pytest.approx([0, 0.5, 440 / 990, 242 / 1010])
    found = performance(path, costs=Costs(), risk_free_pct=0)
    assert found.exposure_pct == pytest.approx(25 * (0.5 + 440 / 990 + 242 / 1010))
    assert found.invested_sessions_pct == 75.0


def test_turnover_is_half_of_what_was_bought_and_sold() -> None:
    found = performance(two_trades(), costs=Costs(), risk_free_pct=0)
    assert found.turnover_a_year == pytest.approx((500 + 440 + 202 + 242) / 2 / (4 / 252) / 1025)


def test_returns_begin_with_the_capital() -> None:
    assert two_trades().returns == pytest.approx([0, 0.1, -0.1, 20 / 990])
    assert performance(two_trades(), costs=Costs(), risk_free_pct=0).returns.total_return_pct == pytest.approx(1.0)


def test_who_has_lost_everything_has_no_more_to_lose() -> None:
    marks = [mark(day, equity, 0.0) for day, equity in zip(DAYS, (1_000.0, 0.0, 0.0), strict=False)]
    path = AccountPath(1_000.0, marks, [], [])
    assert path.returns.tolist() == [0, -1, 0]
    assert path.invested.tolist() == [0, 0, 0]
    figures = performance(path, costs=Costs(), risk_free_pct=0).returns
    assert (figures.total_return_pct, figures.max_drawdown_pct) == (-100, 100)
    assert [part.return_pct for part in by_year(path)] == [-100, 0]


def test_each_year_has_its_own_gain_and_the_trades_that_left_in_it() -> None:
    earlier, later = by_year(two_trades())
    assert (earlier.name, earlier.trades.trades) == ("2020", 0)
    assert earlier.return_pct == pytest.approx(10.0)
    assert (later.name, later.trades.trades) == ("2021", 2)
    assert later.return_pct == pytest.approx(100 * (1010 / 1100 - 1))


def test_each_reason_has_its_trades() -> None:
    stopped, on_target = by_exit_reason(two_trades())
    assert (stopped.name, stopped.trades.profit) == ("STOP", -70.0)
    assert (on_target.name, on_target.trades.profit, on_target.return_pct) == ("TARGET", 20.0, None)


def test_who_entered_how_often_and_when_he_could_have() -> None:
    assert two_trades().habits() == {("A", Direction.LONG): Habit(2, 3)}


def test_the_parts_of_a_real_account_add_up_to_the_whole(make_traded: MakeTraded) -> None:
    path = traded(make_traded("A", "B", sessions=600))
    found = performance(path, costs=RULES.costs, risk_free_pct=0)
    for parts in (by_year(path), by_exit_reason(path)):
        assert sum(part.trades.trades for part in parts) == found.trades.trades > 50
        assert sum(part.trades.profit for part in parts) == pytest.approx(found.trades.profit)
    growth = np.prod([1 + (part.return_pct or 0) / 100 for part in by_year(path)])
    assert 100 * (growth - 1) == pytest.approx(found.returns.total_return_pct)
    assert found.costs.gross_profit == pytest.approx(found.trades.profit + found.costs.fees + found.costs.slippage)


def test_the_decisions_of_a_habit_are_those_that_found_nothing_held(make_traded: MakeTraded) -> None:
    market = make_traded("A", "B", sessions=300)
    path = traded(market)
    held_before = dict.fromkeys(market.bars, 0)
    random = np.random.default_rng(3)
    said = {session: dict.fromkeys(market.bars, random.random()) for session in market.traded.sessions}
    settled = replay(said, market.traded, options=SignalOptions(min_confidence=0.55), rules=RULES)
    for one in settled[:-1]:
        for position in one.account.positions:
            held_before[position.symbol] += 1
    for (symbol, _), habit in path.habits().items():
        assert habit.decisions == 300 - held_before[symbol]


def test_an_account_that_never_traded_claims_nothing(make_traded: MakeTraded) -> None:
    market = make_traded("A", sessions=30)
    path = path_of(replay({}, market.traded, options=SignalOptions(), rules=RULES), capital=1e6)
    found = performance(path, costs=RULES.costs, risk_free_pct=5.0)
    assert (found.sessions, found.drawdown, found.exposure_pct, found.turnover_a_year) == (30, None, 0.0, 0.0)
    assert (found.returns.total_return_pct, found.returns.sharpe, found.returns.sortino) == (0.0, None, None)
    assert (found.costs.share_of_gross_pct, found.costs.a_year_pct) == (None, 0.0)
    assert by_exit_reason(path) == ()
    assert path.habits() == {}


def test_one_session_is_enough_to_be_marked_and_too_little_for_a_year(make_traded: MakeTraded) -> None:
    market = make_traded("A", sessions=1)
    path = path_of(replay({}, market.traded, options=SignalOptions(), rules=RULES), capital=1e6)
    found = performance(path, costs=RULES.costs, risk_free_pct=0)
    assert (found.sessions, found.returns.cagr_pct, found.returns.volatility_pct) == (1, None, None)
