from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ensemble.evaluation.drawdown import Drawdown, deepest_drawdown
from ensemble.evaluation.return_figures import return_figures

FIRST = date(2021, 1, 4)


def sessions(count: int) -> list[date]:
    return [FIRST + timedelta(days=number) for number in range(count)]


def of(*equity: float, capital: float = 100.0) -> Drawdown | None:
    found = deepest_drawdown(np.array(equity), capital=capital, sessions=sessions(len(equity)))
    return found and replace(found, depth_pct=round(found.depth_pct, 9))


def test_a_fall_is_measured_from_its_peak_to_its_trough_and_lasts_until_the_peak_is_reached_again() -> None:
    found = of(110, 99, 88, 105, 110, 120)
    days = sessions(6)
    assert found == Drawdown(20.0, days[0], days[2], days[4], 4, 2, 4)


def test_a_fall_from_the_capital_has_no_session_of_its_peak() -> None:
    days = sessions(2)
    assert of(95, 101) == Drawdown(5.0, None, days[0], days[1], 2, 1, 2)


def test_what_is_not_made_up_for_lasts_to_the_end() -> None:
    days = sessions(4)
    assert of(120, 60, 90, 90) == Drawdown(50.0, days[0], days[1], None, 3, None, 3)


def test_the_longest_need_not_be_the_deepest() -> None:
    found = of(99, 98, 99, 100, 50, 100)
    assert found is not None
    assert (found.depth_pct, found.length_sessions, found.longest_sessions) == (50.0, 2, 4)


@pytest.mark.parametrize("equity", [(), (100.0,), (100.0, 100.0, 101.0)])
def test_an_equity_that_never_fell_has_none(equity: tuple[float, ...]) -> None:
    assert of(*equity) is None


@given(st.lists(st.floats(1, 1000), min_size=1, max_size=40), st.floats(1, 1000))
def test_it_is_as_deep_as_empyrical_says_and_its_sessions_are_as_its_words(equity: list[float], capital: float) -> None:
    found = deepest_drawdown(np.array(equity), capital=capital, sessions=sessions(len(equity)))
    values = [capital, *equity]
    figures = return_figures(np.diff(values) / values[:-1], risk_free_pct=0)
    if found is None:
        assert max(np.maximum.accumulate(values) - values) == 0
        return
    assert found.depth_pct == pytest.approx(figures.max_drawdown_pct, abs=1e-9)
    at = dict(zip([None, *sessions(len(equity))], values, strict=True))
    assert at[found.trough] == pytest.approx(at[found.peak] * (1 - found.depth_pct / 100))
    assert found.longest_sessions >= found.length_sessions > 0
    if found.recovered is not None and found.recovery_sessions is not None:
        assert at[found.recovered] >= at[found.peak]
        assert (found.recovered - found.trough).days == found.recovery_sessions
        start = FIRST - timedelta(days=1) if found.peak is None else found.peak
        assert (found.recovered - start).days == found.length_sessions
