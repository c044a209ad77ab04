"""Two answers that were not made from ours: empyrical's own functions, and the formulas written out."""

import math
import subprocess
import sys
from collections.abc import Callable

import empyrical
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ensemble.arrays import Floats
from ensemble.evaluation.return_figures import RETURN_FIGURES, ReturnFigures, figure_table, return_figures

Oracle = Callable[[Floats, float], dict[str, float]]
YEAR = 252
RISK_FREE = [0.0, 6.5]
some_returns = st.lists(st.floats(-0.2, 0.2), min_size=2, max_size=60).map(np.array)


def market(sessions: int = 700, seed: int = 0) -> Floats:
    return np.random.default_rng(seed).standard_t(4, sessions) * 0.01 + 0.0004


def by_hand(returns: Floats, risk_free_pct: float) -> dict[str, float]:
    """Written out with loops and the standard library."""
    wealth, peak, deepest = 1.0, 1.0, 0.0
    for one in returns:
        wealth *= 1 + one
        peak = max(peak, wealth)
        deepest = max(deepest, 1 - wealth / peak)
    daily = (1 + risk_free_pct / 100) ** (1 / YEAR) - 1
    mean = math.fsum(returns) / len(returns)
    deviation = math.sqrt(math.fsum((one - mean) ** 2 for one in returns) / (len(returns) - 1))
    below = math.sqrt(math.fsum(min(one - daily, 0.0) ** 2 for one in returns) / len(returns))
    growth = wealth ** (YEAR / len(returns)) - 1
    return {
        "total_return_pct": 100 * (wealth - 1),
        "cagr_pct": 100 * growth,
        "volatility_pct": 100 * deviation * math.sqrt(YEAR),
        "sharpe": (mean - daily) / deviation * math.sqrt(YEAR),
        "sortino": (mean - daily) * YEAR / (below * math.sqrt(YEAR)),
        "calmar": growth / deepest,
        "max_drawdown_pct": 100 * deepest,
    }


def by_empyrical(returns: Floats, risk_free_pct: float) -> dict[str, float]:
    daily = (1 + risk_free_pct / 100) ** (1 / YEAR) - 1
    return {
        "total_return_pct": 100 * empyrical.cum_returns_final(returns),
        "cagr_pct": 100 * empyrical.cagr(returns),
        "volatility_pct": 100 * empyrical.annual_volatility(returns),
        "sharpe": empyrical.sharpe_ratio(returns, risk_free=daily),
        "sortino": empyrical.sortino_ratio(returns, required_return=daily),
        "calmar": empyrical.calmar_ratio(returns),
        "max_drawdown_pct": -100 * empyrical.max_drawdown(returns),
    }


@pytest.mark.parametrize("risk_free_pct", RISK_FREE)
@pytest.mark.parametrize("oracle", [by_hand, by_empyrical])
def test_every_figure_is_that_of_the_library_and_that_of_the_formula(oracle: Oracle, risk_free_pct: float) -> None:
    for seed in range(5):
        found = return_figures(market(seed=seed), risk_free_pct=risk_free_pct)
        expected = oracle(market(seed=seed), risk_free_pct)
        assert list(expected) == list(RETURN_FIGURES)
        for name, value in expected.items():
            assert getattr(found, name) == pytest.approx(value, abs=1e-6), name


@given(some_returns, st.sampled_from(RISK_FREE))
def test_any_returns_give_finite_figures_or_none_and_no_warning(returns: Floats, risk_free_pct: float) -> None:
    found = return_figures(returns, risk_free_pct=risk_free_pct)
    for name in RETURN_FIGURES:
        value = getattr(found, name)
        assert value is None or math.isfinite(value)
    total, drawdown = found.total_return_pct, found.max_drawdown_pct
    assert total is not None
    assert drawdown is not None
    assert total > -100
    assert 0 <= drawdown <= 100
    assert drawdown >= -total - 1e-9


def test_many_series_at_once_are_each_alone() -> None:
    series = np.column_stack([market(seed=seed) for seed in range(4)])
    table = figure_table(series, risk_free_pct=3.0)
    for place in range(4):
        alone = return_figures(series[:, place], risk_free_pct=3.0)
        for name in RETURN_FIGURES:
            assert table[name][place] == pytest.approx(getattr(alone, name), rel=1e-12)


@pytest.mark.parametrize("risk_free_pct", RISK_FREE)
def test_money_that_lies_still_has_a_return_and_no_ratio(risk_free_pct: float) -> None:
    expected = ReturnFigures(0.0, 0.0, 0.0, None, None, None, 0.0)
    assert return_figures(np.zeros(50), risk_free_pct=risk_free_pct) == expected


def test_one_session_is_no_year_and_none_is_nothing() -> None:
    assert return_figures(np.array([-0.5]), risk_free_pct=0) == ReturnFigures(-50.0, None, None, None, None, None, 50.0)
    assert return_figures(np.zeros(0), risk_free_pct=0) == ReturnFigures(*[None] * 7)


def test_who_never_lost_has_neither_sortino_nor_calmar_ratio() -> None:
    found = return_figures(np.array([0.01, 0.02, 0.0]), risk_free_pct=0)
    assert (found.sortino, found.calmar, found.max_drawdown_pct) == (None, None, 0.0)
    assert found.sharpe is not None


def test_figures_load_no_downloader_and_hide_none_from_who_wants_it() -> None:
    code = (
        "import sys, numpy; from ensemble.evaluation.return_figures import return_figures;"
        "return_figures(numpy.array([0.01, -0.02, 0.03]), risk_free_pct=0.0);"
        "print('empyrical' in sys.modules, 'yfinance' in sys.modules); import yfinance"
    )
    ran = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert ran.stdout.split() == ["True", "False"]
