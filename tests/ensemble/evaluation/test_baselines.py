"""Baselines say what could have been said in time, and no more."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.special import ndtr
from statsmodels.discrete.discrete_model import Probit

from ensemble.evaluation.baselines import (
    base_rate,
    base_rate_so_far,
    baselines,
    member_baseline,
    volatility_probit,
    yesterdays_sign,
)
from ensemble.evaluation.history import History, history_of
from ensemble.evaluation.probit import fit_probit
from ensemble.evaluation.scores import score
from tests.ensemble.evaluation.conftest import MakeScored


def history_with(outcome: np.ndarray, horizon: int = 1, volatility: np.ndarray | None = None) -> History:
    sessions = pd.bdate_range("2015-01-01", periods=outcome.shape[1])
    symbols = tuple(f"S{one}" for one in range(len(outcome)))
    unknown = np.full(outcome.shape, np.nan)
    return History("gap", sessions, symbols, outcome, unknown if volatility is None else volatility, horizon)


def drifting(sessions: int = 1200, symbols: int = 2, seed: int = 0) -> History:
    """P(up) is that of a drift over the volatility, which wanders."""
    random = np.random.default_rng(seed)
    volatility = 0.01 * np.exp(np.cumsum(random.normal(0, 0.05, (symbols, sessions)), axis=1))
    outcome = (random.normal(0.004, volatility) > 0).astype(np.float64)
    return history_with(outcome, volatility=volatility)


def test_the_base_rate_is_laplace_s_share_of_what_was_known_before() -> None:
    outcome = np.array([[1.0, 1, np.nan, 0, 1], [0.0, 0, 0, 0, 0]])
    expected = [[1 / 2, 2 / 3, 3 / 4, 3 / 4, 3 / 5], [1 / 2, 1 / 3, 1 / 4, 1 / 5, 1 / 6]]
    np.testing.assert_allclose(base_rate_so_far(history_with(outcome)), expected)
    np.testing.assert_allclose(
        base_rate_so_far(history_with(outcome[:1], horizon=3)), [[1 / 2, 1 / 2, 1 / 2, 2 / 3, 3 / 4]]
    )


def test_yesterday_s_sign_takes_the_side_of_the_newest_outcome_known() -> None:
    outcome = np.array([[1.0, np.nan, 0, 0, 1, 1]])
    up = yesterdays_sign(history_with(outcome)) > 0.5
    np.testing.assert_array_equal(up, [[False, True, True, False, False, True]])
    later = yesterdays_sign(history_with(outcome, horizon=2)) > 0.5
    np.testing.assert_array_equal(later, [[False, False, True, True, False, False]])


def test_yesterday_s_sign_says_how_often_it_has_repeated_itself() -> None:
    outcome = np.array([[1.0, 1, 1, 1, 0]])  # repeated at the second, third and fourth
    said = yesterdays_sign(history_with(outcome))
    np.testing.assert_allclose(said, [[0.5, 0.501, 2 / 3, 3 / 4, 4 / 5]])


@pytest.mark.parametrize("horizon", [1, 10])
@pytest.mark.parametrize("forecast", [base_rate_so_far, yesterdays_sign, volatility_probit])
def test_outcomes_not_known_yet_change_nothing(forecast: object, horizon: int) -> None:
    assert callable(forecast)
    history = replace(drifting(), horizon=horizon)
    changed = history.outcome.copy()
    changed[:, 900:] = 1 - changed[:, 900:]
    said, other = forecast(history), forecast(replace(history, outcome=changed))
    np.testing.assert_array_equal(said[:, : 900 + horizon], other[:, : 900 + horizon])
    assert not np.array_equal(said[:, 900 + horizon :], other[:, 900 + horizon :])


def test_volatility_alone_forecasts_where_a_drift_makes_it_matter(make_scored: MakeScored) -> None:
    history = drifting(3000)
    scored = replace(make_scored(sessions=3000, symbols=2), sessions=history.sessions, outcome=history.outcome)
    found = score(scored.saying(volatility_probit(history)), base_rate=base_rate(scored, history), draws=100)
    assert found.log_loss_skill.low > 0
    assert found.auc.value > 0.55


def test_the_probit_of_a_quarter_is_fitted_on_all_rows_known_before_it() -> None:
    history = drifting()
    quarter = history.sessions.to_period("Q")
    first = int(np.flatnonzero(quarter == quarter[700])[0])
    calm = 0.01 / history.volatility[:, :first].ravel()
    design = np.column_stack([np.ones_like(calm), calm])
    theirs = Probit(history.outcome[:, :first].ravel(), design).fit(disp=0, method="newton", tol=1e-14, maxiter=99)
    expected = ndtr(theirs.params[0] + theirs.params[1] * 0.01 / history.volatility[:, first])
    np.testing.assert_allclose(volatility_probit(history)[:, first], expected, rtol=1e-9)


def test_without_volatility_the_probit_says_the_base_rate() -> None:
    history = history_with(drifting().outcome)
    np.testing.assert_array_equal(volatility_probit(history), base_rate_so_far(history))


def test_volatilities_that_are_all_alike_say_the_base_rate() -> None:
    history = drifting()
    alike = replace(history, volatility=np.full(history.outcome.shape, 0.01))
    np.testing.assert_array_equal(volatility_probit(alike), base_rate_so_far(alike))


def test_coefficients_equal_statsmodels() -> None:
    random = np.random.default_rng(0)
    design = np.column_stack([np.ones(400), random.normal(size=(400, 2))])
    outcomes = (random.random(400) < ndtr(design @ [0.3, -0.8, 1.5])).astype(np.float64)
    theirs = Probit(outcomes, design).fit(disp=0, method="newton", tol=1e-14, maxiter=99)
    np.testing.assert_allclose(fit_probit(design, outcomes), theirs.params, rtol=1e-9)


@pytest.mark.parametrize("outcomes", [np.ones(20), (np.arange(20) > 9).astype(np.float64)])
def test_rows_without_a_greatest_likelihood_are_refused(outcomes: np.ndarray) -> None:
    design = np.column_stack([np.ones(20), np.arange(20.0)])
    with pytest.raises(ValueError, match="no greatest likelihood"):
        fit_probit(design, outcomes)


def test_all_speak_where_the_judged_one_does(make_scored: MakeScored) -> None:
    scored = make_scored(sessions=400, symbols=2)
    scored.probability[0, 100:200] = np.nan
    found = baselines(scored, history_of(scored))
    assert [one.name for one in found] == ["always up", "base rate so far", "yesterday's sign", "volatility probit"]
    for one in found:
        np.testing.assert_array_equal(np.isfinite(one.probability), np.isfinite(scored.probability))
    assert score(scored.saying(found[0].probability), draws=10).recall.value == 1.0
    assert [one.has_loss for one in found] == [False, True, True, True]


def test_a_member_speaks_for_itself(make_scored: MakeScored) -> None:
    scored = make_scored(sessions=3, symbols=2)
    rows = pd.DataFrame(
        [
            (scored.sessions[1], "S1", "gap", "logit", 0.7),
            (scored.sessions[1], "S1", "gap", "wider", 0.1),
            (scored.sessions[1], "S1", "barrier", "logit", 0.2),
        ],
        columns=["session", "symbol", "label", "member", "probability"],
    )
    found = member_baseline(scored, rows, "logit")
    assert found is not None
    np.testing.assert_array_equal(found.probability, [[np.nan] * 3, [np.nan, 0.7, np.nan]])
    assert member_baseline(scored, rows, "lightgbm") is None
