"""Parts of a range hold each forecast once."""

from dataclasses import replace

import numpy as np
import pytest

from ensemble.evaluation.history import history_of
from ensemble.evaluation.slices import above_confidence, by_regime, by_symbol, by_year, only_symbol, only_symbols
from tests.ensemble.evaluation.conftest import MakeScored


def test_years_hold_each_forecast_once_oldest_first(make_scored: MakeScored) -> None:
    scored = make_scored(sessions=600, symbols=2)
    years = by_year(scored)
    assert list(years) == ["2015", "2016", "2017"]
    assert sum(one.known.sum() for one in years.values()) == 1200
    assert years["2016"].known.any(axis=0).tolist() == (scored.sessions.year == 2016).tolist()


def test_symbols_hold_their_own_forecasts(make_scored: MakeScored) -> None:
    scored = make_scored(symbols=3)
    assert list(by_symbol(scored)) == ["S0", "S1", "S2"]
    np.testing.assert_array_equal(only_symbol(scored, "S1").probability, scored.probability[1:2])
    with pytest.raises(ValueError, match='symbol was "S9"; there are forecasts for S0, S1, S2'):
        only_symbol(scored, "S9")
    np.testing.assert_array_equal(only_symbols(scored, ("S2", "S9", "S0")).outcome, scored.outcome[[2, 0]])


def test_a_regime_is_the_third_of_volatility_known_before_the_session(make_scored: MakeScored) -> None:
    scored = make_scored(sessions=600, symbols=2)
    rising = np.broadcast_to(np.arange(600.0), scored.outcome.shape)
    regimes = by_regime(scored, replace(history_of(scored), volatility=rising))
    assert {name: int(one.known.sum()) for name, one in regimes.items()} == {"calm": 0, "middling": 0, "wild": 702}
    mixed = np.random.default_rng(0).random(scored.outcome.shape)
    shares = [
        one.known.sum() / 702 for one in by_regime(scored, replace(history_of(scored), volatility=mixed)).values()
    ]
    assert shares == pytest.approx([1 / 3] * 3, abs=0.06)


def test_the_confident_are_those_that_the_filter_of_signals_lets_pass(make_scored: MakeScored) -> None:
    made = make_scored(sessions=6)
    scored = made.saying(np.array([[0.3, 0.31, 0.5, 0.69, 0.7, 0.9]]))
    assert np.isfinite(above_confidence(scored, 0.7).probability).tolist() == [[True, False, False, False, True, True]]
    assert np.isfinite(above_confidence(scored, 0.5).probability).tolist() == [[True, True, False, True, True, True]]


def test_another_speaker_must_have_the_same_shape(make_scored: MakeScored) -> None:
    with pytest.raises(ValueError, match=r"\(2, 3\); \(1, 300\) was expected"):
        make_scored().saying(np.zeros((2, 3)))
