"""The interval is the textbook's, lies inside 0 and 1, rises with the score, and holds what comes."""

from dataclasses import asdict

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from sklearn.isotonic import IsotonicRegression

from ensemble.arrays import Floats
from ensemble.stacking.venn_abers import MIN_OUTCOMES, SCORE_DECIMALS, VennAbers, fit_venn_abers


def make_past(seed: int, n: int, spread: float, slope: float) -> tuple[Floats, Floats]:
    """Scores with ties, and outcomes that follow them more or less, or even run against them."""
    random = np.random.default_rng(seed)
    scores = random.normal(0, spread, n)
    return scores, (random.random(n) < 1 / (1 + np.exp(-slope * scores))).astype(np.float64)


PAST = st.builds(
    make_past,
    st.integers(0, 10_000),
    st.integers(MIN_OUTCOMES, 120),
    st.floats(0.02, 2.0),
    st.floats(-1.0, 2.0),
)
WEIGHTS = st.sampled_from([1.0, 3.7])


def direct(scores: Floats, outcomes: Floats, score: float, weight: float) -> tuple[float, float]:
    """Isotonic regression, twice, with the forecast added as a 0 and as a 1."""
    known, asked = np.round(scores, SCORE_DECIMALS), np.round(score, SCORE_DECIMALS)
    ends = []
    for outcome in (0.0, 1.0):
        fit = IsotonicRegression().fit(
            [*known, asked], [*outcomes, outcome], sample_weight=[*np.ones(len(known)), weight]
        )
        ends.append(float(fit.predict([asked])[0]))
    return ends[0], ends[1]


@settings(max_examples=15)
@given(PAST, WEIGHTS)
def test_the_stairs_equal_isotonic_regression_with_the_forecast_added(
    past: tuple[Floats, Floats], weight: float
) -> None:
    stairs = fit_venn_abers(*past, weight=weight)
    asked = np.concatenate([past[0][:5], [-9.0, 0.0, 0.013, 9.0], past[0][:3] + 0.017])
    expected = [direct(*past, score, weight) for score in asked]
    assert_allclose(np.stack(stairs(asked), axis=1), expected, rtol=0, atol=1e-12)


@settings(max_examples=25)
@given(PAST, WEIGHTS)
def test_low_is_below_high_both_are_probabilities_and_both_rise(past: tuple[Floats, Floats], weight: float) -> None:
    low, high = fit_venn_abers(*past, weight=weight)(np.linspace(-6, 6, 500))
    assert (low < high).all()
    assert low.min() >= 0
    assert high.max() <= 1
    assert (np.diff(low) >= 0).all()
    assert (np.diff(high) >= 0).all()


@settings(max_examples=25)
@given(PAST)
def test_a_forecast_that_counts_for_more_is_less_sure(past: tuple[Floats, Floats]) -> None:
    asked = np.linspace(-6, 6, 200)
    low, high = fit_venn_abers(*past)(asked)
    lower, higher = fit_venn_abers(*past, weight=5.0)(asked)
    assert (lower <= low + 1e-12).all()
    assert (higher >= high - 1e-12).all()


def test_the_end_that_comes_true_was_calibrated_however_wrong_the_forecasts_were() -> None:
    # Theorem 1 there: of the two ends, the one that belongs to the outcome comes true as often as it says.
    random = np.random.default_rng(5)
    truth = random.normal(0, 1, (2, 80, 100))  # eighty pasts, and what follows each
    outcomes = (random.random(truth.shape) < 1 / (1 + np.exp(-truth))).astype(np.float64)
    said = 3 * truth
    ends = [fit_venn_abers(said[0, place], outcomes[0, place])(said[1, place]) for place in range(80)]
    low, high = np.swapaxes(np.array(ends), 0, 1)
    for chance, calibrated in ((np.where(outcomes[1] > 0, high, low), True), (1 / (1 + np.exp(-said[1])), False)):
        for at_least, below in ((0.0, 0.4), (0.6, 1.0)):
            inside = (chance >= at_least) & (chance <= below)
            surplus = np.where(inside, outcomes[1] - chance, 0.0).sum(axis=1)  # one past, one observation
            assert (abs(surplus.sum()) < 3 * np.sqrt((surplus**2).sum())) == calibrated


def test_too_few_outcomes_say_nothing() -> None:
    stairs = fit_venn_abers(np.zeros(MIN_OUTCOMES - 1), np.zeros(MIN_OUTCOMES - 1))
    assert stairs == VennAbers()
    assert np.isnan(stairs(np.array([-1.0, 0.0]))).all()


def test_outcomes_all_alike_still_leave_room() -> None:
    low, high = fit_venn_abers(np.linspace(-1, 1, 100), np.ones(100))(np.array([0.0, 2.0]))
    assert_allclose(high, 1.0)
    assert (low < 1).all()


def test_few_steps_are_kept_of_a_long_past() -> None:
    stairs = fit_venn_abers(*make_past(1, 3000, 1.0, 1.0))
    assert max(map(len, asdict(stairs).values())) < 150
