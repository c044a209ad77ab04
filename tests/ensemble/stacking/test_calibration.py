"""Calibrations find what bent the forecasts, and leave them alone where there is nothing to find."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.optimize import minimize
from sklearn.isotonic import IsotonicRegression

from ensemble.arrays import Floats
from ensemble.stacking.beta import BetaCurve, fit_beta
from ensemble.stacking.isotonic import RisingCurve, fit_rising
from ensemble.stacking.logistic import fit_logistic
from ensemble.stacking.platt import Line, fit_line
from ensemble.stacking.ridge import RidgeStack, fit_ridge

Curve = Line | BetaCurve | RisingCurve


def bent(curve: Curve, n: int = 40_000, seed: int = 2) -> tuple[Floats, Floats]:
    """Log-odds, and outcomes that follow the curve through them."""
    random = np.random.default_rng(seed)
    odds = random.normal(size=n)
    return odds, (random.random(n) < 1 / (1 + np.exp(-curve(odds)))).astype(np.float64)


@settings(max_examples=30)
@given(st.integers(0, 10_000), st.integers(5, 80), st.sampled_from([0.5, 10.0, 300.0]), st.booleans())
def test_the_weights_are_those_of_least_penalised_log_loss(seed: int, n: int, strength: float, separable: bool) -> None:
    random = np.random.default_rng(seed)
    design = np.column_stack([np.ones(n), 3 * random.normal(size=(n, 2))])
    outcomes = (design[:, 1] > 0 if separable else random.random(n) < 0.3).astype(np.float64)
    prior, strengths = np.array([0.0, 1.0, -0.5]), strength * np.array([1.0, 2.0, 0.5])

    def cost(weights: Floats) -> float:
        loss = np.logaddexp(0, design @ weights) - outcomes * (design @ weights)
        return float(loss.sum() + 0.5 * (strengths * (weights - prior) ** 2).sum())

    found = fit_logistic(design, outcomes, prior=prior, strength=strengths)
    expected = minimize(cost, prior, method="BFGS", options={"gtol": 1e-7}).x
    assert_allclose(found, expected, atol=1e-4)
    assert cost(found) <= cost(expected) + 1e-9


def test_a_line_finds_the_slope_and_intercept_that_made_the_outcomes() -> None:
    line = fit_line(*bent(Line(slope=0.4, intercept=0.3)))
    assert_allclose([line.slope, line.intercept], [0.4, 0.3], atol=0.05)


def test_a_beta_curve_finds_the_two_slopes_that_made_the_outcomes() -> None:
    curve = fit_beta(*bent(BetaCurve(up_slope=1.6, down_slope=0.5, intercept=0.2)), alike=0.01)
    assert_allclose([curve.up_slope, curve.down_slope, curve.intercept], [1.6, 0.5, 0.2], atol=0.15)


def test_a_beta_curve_is_the_published_formula_and_a_line_where_its_slopes_agree() -> None:
    odds = np.linspace(-4, 4, 9)
    p = 1 / (1 + np.exp(-odds))
    expected = 1 / (1 + 1 / (np.exp(0.2) * p**1.6 / (1 - p) ** 0.5))  # Kull et al., eq. 2
    assert_allclose(1 / (1 + np.exp(-BetaCurve(1.6, 0.5, 0.2)(odds))), expected)
    assert_allclose(BetaCurve(0.7, 0.7, 0.1)(odds), Line(0.7, 0.1)(odds))


def test_a_beta_curve_never_falls_even_where_outcomes_run_against_the_forecasts() -> None:
    curve = fit_beta(*bent(Line(slope=-0.8)))
    assert (curve.up_slope, curve.down_slope) == (0.0, 0.0)
    one_sided = fit_beta(*bent(BetaCurve(up_slope=-0.5, down_slope=1.5)))
    assert one_sided.up_slope == 0.0 < one_sided.down_slope


@pytest.mark.parametrize("seed", range(3))
def test_a_rising_curve_is_scikit_learn_s(seed: int) -> None:
    odds, outcomes = bent(Line(0.5), n=500, seed=seed)
    oracle = IsotonicRegression(y_min=1 / (1 + np.exp(4)), y_max=1 / (1 + np.exp(-4)), out_of_bounds="clip")
    asked = np.linspace(-5, 5, 301)
    expected = oracle.fit(odds, outcomes).predict(asked)
    assert_allclose(1 / (1 + np.exp(-fit_rising(odds, outcomes)(asked))), expected, atol=1e-12)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_rising_curve_of_few_distinct_scores_still_speaks(count: int) -> None:
    odds = np.repeat(np.arange(count, dtype=np.float64), 10)
    outcomes = np.tile([1.0, 0.0], 5 * count)
    assert_allclose(fit_rising(odds, outcomes)(np.array([-1.0, 0.5, 9.0])), 0.0, atol=1e-12)


@pytest.mark.parametrize("identity", [Line(), BetaCurve(), RisingCurve()])
def test_what_has_learned_nothing_changes_nothing(identity: Curve) -> None:
    odds = np.linspace(-3, 3, 7)
    assert_allclose(identity(odds), odds, atol=1e-12)


@pytest.mark.parametrize("fit", [fit_line, fit_beta])
def test_thirty_outcomes_cannot_turn_a_forecast_around(fit: Callable[[Floats, Floats], Curve]) -> None:
    odds = np.linspace(-1, 1, 30)
    curve = fit(odds, (odds < 0).astype(np.float64))
    assert curve(np.array([1.0]))[0] > curve(np.array([-1.0]))[0]


def test_a_ridge_stack_without_evidence_is_the_mean_and_with_it_trusts_who_knows() -> None:
    random = np.random.default_rng(3)
    knows, guesses = random.normal(size=(2, 20_000))
    outcomes = (random.random(20_000) < 1 / (1 + np.exp(-knows))).astype(np.float64)
    both = np.stack([knows, guesses])
    little = fit_ridge(both[:, :10], outcomes[:10])
    assert_allclose([*little.weights, little.intercept], [0.5, 0.5, 0.0], atol=0.05)
    much = fit_ridge(both, outcomes)
    assert_allclose([*much.weights, much.intercept], [1.0, 0.0, 0.0], atol=0.06)
    assert_allclose(much(both[:, :3]), np.array(much.weights) @ both[:, :3] + much.intercept)
    assert_allclose(RidgeStack()(both), both.mean(axis=0))


@pytest.mark.parametrize("fit", [fit_line, fit_beta])
def test_outcomes_told_several_times_teach_as_much_as_told_once(fit: Callable[..., Curve]) -> None:
    odds, outcomes = bent(Line(0.4, 0.3), n=300)
    once, again = fit(odds, outcomes), fit(np.tile(odds, 4), np.tile(outcomes, 4), alike=4.0)
    assert_allclose(once(odds), again(odds), atol=1e-9)
