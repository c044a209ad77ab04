"""The curve equals scikit-learn's, Brier's parts add up, and a perfect model is not accused."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.calibration import calibration_curve as their_curve
from sklearn.metrics import brier_score_loss

from ensemble.evaluation.calibration import brier_parts, calibration_curve, calibration_error
from tests.ensemble.evaluation.conftest import MakeScored


@pytest.mark.parametrize("decimals", [9, 1])
def test_the_curve_equals_scikit_learn_s(make_scored: MakeScored, decimals: int) -> None:
    made = make_scored(0.5, sessions=300, symbols=2)
    scored = made.saying(np.round(made.probability, decimals))
    probability, outcome = scored.flat()
    shares, means = their_curve(outcome, probability, n_bins=10, strategy="quantile")
    curve = calibration_curve(scored)
    assert_allclose([one.up_share for one in curve], shares, rtol=1e-9)
    assert_allclose([one.mean_probability for one in curve], means, rtol=1e-9)
    assert sum(one.forecasts for one in curve) == len(outcome)


def test_the_error_is_the_curve_s_mean_distance(make_scored: MakeScored) -> None:
    scored = make_scored(0.5, sessions=300)
    curve = calibration_curve(scored)
    distance = sum(one.forecasts * abs(one.mean_probability - one.up_share) for one in curve) / 300
    assert calibration_error(scored, draws=10).ece == pytest.approx(distance, abs=1e-12)


def test_a_perfect_model_s_error_on_a_year_is_eight_hundredths(make_scored: MakeScored) -> None:
    found = calibration_error(make_scored(sessions=250))
    assert found.perfect_mean == pytest.approx(0.08, abs=0.01)
    assert found.perfect_95 > found.perfect_mean


@pytest.mark.parametrize(("symbols", "together", "horizon"), [(1, 0.0, 1), (5, 0.8, 1), (2, 0.5, 5)])
def test_a_perfect_model_is_accused_in_about_one_case_in_twenty(
    make_scored: MakeScored, symbols: int, together: float, horizon: int
) -> None:
    ranges = (make_scored(0.3, 250, symbols, together=together, horizon=horizon, seed=seed) for seed in range(200))
    found = [calibration_error(scored, draws=100) for scored in ranges]
    assert 0.02 <= sum(one.p_value <= 0.05 for one in found) / 200 <= 0.10
    assert np.mean([one.ece for one in found]) == pytest.approx(np.mean([one.perfect_mean for one in found]), rel=0.1)


def test_a_model_that_exaggerates_is_found(make_scored: MakeScored) -> None:
    scored = make_scored(0.2, sessions=1000)
    odds = 3 * np.log(scored.probability / (1 - scored.probability))
    assert calibration_error(scored.saying(1 / (1 + np.exp(-odds)))).p_value < 0.01
    assert calibration_error(scored).p_value > 0.05


def test_brier_s_parts_add_up_to_scikit_learn_s_score(make_scored: MakeScored) -> None:
    scored = make_scored(0.5, sessions=300, symbols=2, drift=0.3)
    parts, (probability, outcome) = brier_parts(scored), scored.flat()
    assert parts.brier == pytest.approx(brier_score_loss(outcome, probability), abs=1e-12)
    assert parts.brier == pytest.approx(parts.reliability - parts.resolution + parts.uncertainty, abs=1e-12)
    assert parts.uncertainty == pytest.approx(outcome.mean() * (1 - outcome.mean()), abs=1e-12)


def test_forecasts_of_few_sizes_have_murphy_s_parts(make_scored: MakeScored) -> None:
    made = make_scored(0.5, sessions=400)
    scored = made.saying(np.where(made.probability > 0.5, 0.6, 0.3))
    probability, outcome = scored.flat()
    sides = [(probability == size, size) for size in (0.3, 0.6)]
    shares = [(rows.mean(), size, outcome[rows].mean()) for rows, size in sides]
    parts = brier_parts(scored)
    reliability = sum(share * (size - came) ** 2 for share, size, came in shares)
    resolution = sum(share * (came - outcome.mean()) ** 2 for share, _, came in shares)
    assert (parts.reliability, parts.resolution) == pytest.approx((reliability, resolution), abs=1e-12)


def test_a_constant_resolves_nothing(make_scored: MakeScored) -> None:
    scored = make_scored(drift=0.3)
    parts = brier_parts(scored.saying(np.full(scored.outcome.shape, scored.outcome.mean())))
    assert (parts.reliability, parts.resolution) == pytest.approx((0, 0), abs=1e-15)
    assert len(calibration_curve(scored.saying(np.full(scored.outcome.shape, 0.6)))) == 1


def test_no_outcomes_have_no_error(make_scored: MakeScored) -> None:
    scored = make_scored()
    found = calibration_error(scored.where(np.zeros(scored.outcome.shape, dtype=bool)))
    assert np.isnan(found.ece)
    assert found.p_value == 1.0
