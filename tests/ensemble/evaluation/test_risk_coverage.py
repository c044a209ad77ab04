"""The risk-coverage curve counts what it keeps, and its area is the published one."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from ensemble.evaluation.risk_coverage import kept_risks, risk_coverage
from ensemble.evaluation.slices import above_confidence
from tests.ensemble.evaluation.conftest import MakeScored


@settings(max_examples=50)
@given(st.integers(0, 10_000), st.sampled_from([1, 2, 9]))
def test_the_area_is_traub_s_formula(make_scored: MakeScored, seed: int, decimals: int) -> None:
    """AUGRC = (1 - AUROC of confidence against errors) acc (1 - acc) + (1 - acc)^2 / 2: Traub et al. (2024), eq. 8."""
    made = make_scored(0.4, sessions=40, seed=seed)
    scored = made.saying(np.round(made.probability, decimals))
    probability, outcome = scored.flat()
    right = (probability > 0.5) == (outcome > 0.5)
    accuracy = right.mean()
    ranked = roc_auc_score(right, np.maximum(probability, 1 - probability)) if 0 < accuracy < 1 else 0.5
    expected = (1 - ranked) * accuracy * (1 - accuracy) + (1 - accuracy) ** 2 / 2
    assert risk_coverage(scored).augrc == pytest.approx(expected, abs=1e-12)


def test_each_point_is_what_the_filter_of_signals_would_keep(make_scored: MakeScored) -> None:
    made = make_scored(0.4, sessions=200, symbols=2)
    curve, (probability, _) = risk_coverage(made), made.flat()
    for point in range(0, len(curve.confidence), 37):
        kept, outcome = above_confidence(made, curve.confidence[point]).flat()
        assert curve.coverage[point] == pytest.approx(len(kept) / len(probability))
        assert curve.risk[point] == pytest.approx(((kept > 0.5) != (outcome > 0.5)).mean())


def test_everything_is_kept_in_the_end_and_confidence_falls(make_scored: MakeScored) -> None:
    scored = make_scored(0.4)
    curve, (probability, outcome) = risk_coverage(scored), scored.flat()
    assert curve.coverage[-1] == 1.0
    assert curve.risk[-1] == pytest.approx(((probability > 0.5) != (outcome > 0.5)).mean())
    assert (np.diff(curve.confidence) < 0).all()


def test_confidence_that_knows_all_errors_costs_half_the_square_of_the_risk(make_scored: MakeScored) -> None:
    made = make_scored()
    wrong = np.arange(300) % 4 == 0
    said = np.where(wrong, 1 - made.outcome, made.outcome)
    sure = np.where(wrong, 0.1, 0.4)
    curve = risk_coverage(made.saying(np.where(said > 0.5, 0.5 + sure, 0.5 - sure)))
    assert curve.augrc == pytest.approx(0.25**2 / 2)


def test_tenths_are_points_of_the_curve_up_to_the_whole(make_scored: MakeScored) -> None:
    curve = risk_coverage(make_scored(0.4, sessions=200, symbols=2))
    points = curve.tenths()
    assert [round(10 * one.coverage) for one in points] == list(range(1, 11))
    for one in points:
        place = int(np.flatnonzero(curve.coverage == one.coverage)[0])
        assert (one.confidence, one.risk) == (curve.confidence[place], curve.risk[place])


def test_forecasts_of_one_size_are_one_point(make_scored: MakeScored) -> None:
    made = make_scored(0.4, sessions=50)
    (point,) = risk_coverage(made.saying(np.full(made.outcome.shape, 0.6))).tenths()
    assert (point.coverage, point.confidence) == (1.0, 0.6)


def test_the_kept_are_the_points_at_each_tenth_with_an_interval_around_their_risk(make_scored: MakeScored) -> None:
    made = make_scored(0.4, sessions=200, symbols=2)
    kept = kept_risks(made)
    points = risk_coverage(made).tenths()
    assert [(one.coverage, one.confidence, round(one.risk.value, 12)) for one in kept] == [
        (one.coverage, one.confidence, round(one.risk, 12)) for one in points
    ]
    assert [one.forecasts for one in kept] == [round(400 * one.coverage) for one in points]
    assert all(one.risk.low < one.risk.value < one.risk.high for one in kept)
