import numpy as np
import pytest
from scipy import stats

from ensemble.arrays import Floats
from ensemble.evaluation.account_path import AccountPath, path_of
from ensemble.evaluation.performance import performance
from ensemble.evaluation.performance_intervals import performance_intervals, return_intervals
from ensemble.evaluation.replay import replay
from ensemble.evaluation.return_figures import RETURN_FIGURES
from ensemble.trading.costs import Costs
from ensemble.trading.limits import RiskLimits
from ensemble.trading.rules import TradingRules
from ensemble.trading.signals import SignalOptions
from tests.ensemble.evaluation.conftest import MadeTraded, MakeTraded

RULES = TradingRules(RiskLimits(max_holding_sessions=4), Costs())


def independent(seed: int, sessions: int = 750, mean: float = 0.0005) -> Floats:
    return np.random.default_rng(seed).normal(mean, 0.01, sessions)


def traded(market: MadeTraded, confidence: float = 0.55) -> AccountPath:
    random = np.random.default_rng(3)
    said = {session: dict.fromkeys(market.bars, random.random()) for session in market.traded.sessions}
    settled = replay(said, market.traded, options=SignalOptions(min_confidence=confidence), rules=RULES)
    return path_of(settled, capital=RULES.limits.initial_capital)


def test_of_independent_returns_they_are_as_wide_as_the_textbook_says() -> None:
    """The Sharpe ratio's by Lo (2002), the volatility's by the chi-squared distribution."""
    returns = independent(1)
    found = return_intervals(returns, risk_free_pct=0)
    sharpe = returns.mean() / returns.std(ddof=1)
    error = np.sqrt((1 + sharpe**2 / 2) / 750 * 252)
    assert found["sharpe"][1] - found["sharpe"][0] == pytest.approx(2 * 1.96 * error, rel=0.15)
    spread = 100 * returns.std(ddof=1) * np.sqrt(252)
    low, high = spread * np.sqrt(749 / stats.chi2.ppf([0.975, 0.025], 749))
    assert found["volatility_pct"] == pytest.approx((low, high), abs=0.35)


def test_nineteen_of_twenty_hold_the_truth() -> None:
    """The true ratio is .05 a session. A percentile interval holds somewhat less than it says."""
    hit = 0
    for seed in range(40):
        low, high = return_intervals(independent(seed, 300), risk_free_pct=0)["sharpe"]
        hit += low < 0.05 * np.sqrt(252) < high
    assert hit >= 35


def test_returns_that_remember_have_wider_ones() -> None:
    shocks = independent(2, 2000, 0.0)
    remembering = np.convolve(shocks, np.full(10, 10**-0.5))[:2000]
    widths = [np.ptp(return_intervals(one, risk_free_pct=0)["cagr_pct"]) for one in (shocks, remembering)]
    assert widths[1] > 1.5 * widths[0]


def test_every_figure_of_an_account_with_trades_has_one_that_holds_it(make_traded: MakeTraded) -> None:
    path = traded(make_traded("A", "B", sessions=600))
    found = performance_intervals(path, risk_free_pct=0)
    own = performance(path, costs=RULES.costs, risk_free_pct=0)
    assert set(found) == {*RETURN_FIGURES, "mean_trade_bp", "hit_rate_pct"}
    for name, (low, high) in found.items():
        value = getattr(own.returns if name in RETURN_FIGURES else own.trades, name)
        assert low < value < high, name


def test_the_mean_trades_is_as_wide_as_students_where_trades_are_many_and_apart(
    make_traded: MakeTraded,
) -> None:
    path = traded(make_traded("A", sessions=1500))
    low, high = performance_intervals(path, risk_free_pct=0)["mean_trade_bp"]
    returns = [1e4 * trade.profit / (trade.quantity * trade.entry_price) for trade in path.trades]
    error = np.std(returns, ddof=1) / np.sqrt(len(returns))
    assert high - low == pytest.approx(2 * 1.96 * error, rel=0.2)


def test_three_hits_of_three_are_no_certainty(make_traded: MakeTraded) -> None:
    path = traded(make_traded("A", sessions=1500))
    won = [trade for trade in path.trades if trade.profit > 0][:3]
    found = performance_intervals(AccountPath(path.capital, path.marks, won, []), risk_free_pct=0)
    assert found["hit_rate_pct"] == pytest.approx((43.85, 100.0), abs=0.01)  # Wilson's, of 3 out of 3


@pytest.mark.parametrize("returns", [np.zeros(100), independent(1, 19), np.zeros(1), np.zeros(0)])
def test_what_never_moved_or_was_short_has_none(returns: Floats) -> None:
    assert return_intervals(returns, risk_free_pct=0) == {}


def test_the_same_account_has_the_same_ones() -> None:
    assert return_intervals(independent(5), risk_free_pct=2) == return_intervals(independent(5), risk_free_pct=2)
