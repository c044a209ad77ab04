"""The scores of sides equal scikit-learn's, and say nothing where there is nothing to say."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as np_st
from sklearn import metrics

from ensemble.evaluation.sides import Sides, count_sides

ROWS = st.integers(2, 60).flatmap(
    lambda n: st.tuples(
        np_st.arrays(np.float64, n, elements=st.sampled_from([0.1, 0.4, 0.5, 0.500001, 0.9])),
        np_st.arrays(np.float64, n, elements=st.sampled_from([0.0, 1.0])),
    )
)


@settings(max_examples=50)
@given(ROWS)
def test_scores_of_sides_equal_scikit_learn_s(rows: tuple[np.ndarray, np.ndarray]) -> None:
    probability, outcome = rows
    sides, said = count_sides(probability, outcome), (probability > 0.5).astype(np.float64)
    assert sides.accuracy == pytest.approx(metrics.accuracy_score(outcome, said), abs=1e-12)
    for name, theirs in (("precision", metrics.precision_score), ("recall", metrics.recall_score)):
        expected = theirs(outcome, said, zero_division=np.nan)
        assert getattr(sides, name) == pytest.approx(expected, abs=1e-12, nan_ok=True)
    assert sides.f1 == pytest.approx(metrics.f1_score(outcome, said, zero_division=np.nan), abs=1e-12, nan_ok=True)
    if len(np.unique(outcome)) == 2:
        assert sides.balanced_accuracy == pytest.approx(metrics.balanced_accuracy_score(outcome, said), abs=1e-12)
    if len(np.unique(outcome)) == 2 and len(np.unique(said)) == 2:
        assert sides.mcc == pytest.approx(metrics.matthews_corrcoef(outcome, said), abs=1e-12)


def test_the_model_that_always_says_up_has_the_share_of_ups_as_precision_and_no_correlation() -> None:
    sides = count_sides(np.full(28, 0.6), np.array([1.0] * 16 + [0.0] * 12))
    assert (sides.recall, sides.balanced_accuracy, sides.said_up_share) == (1.0, 0.5, 1.0)
    assert sides.precision == sides.accuracy == sides.up_share == pytest.approx(16 / 28)
    assert sides.f1 == pytest.approx(32 / 44)
    assert np.isnan(sides.mcc)


def test_one_half_says_down() -> None:
    assert count_sides(np.array([0.5]), np.array([1.0])) == Sides(0.0, 0.0, 1.0, 0.0)


def test_many_resamples_are_scored_at_once_as_one_by_one() -> None:
    counts = np.random.default_rng(0).integers(0, 9, size=(4, 50)).astype(np.float64)
    together, alone = Sides(*counts), [Sides(*(float(one) for one in column)) for column in counts.T]
    for name in ("accuracy", "balanced_accuracy", "precision", "recall", "f1", "mcc", "up_share", "said_up_share"):
        np.testing.assert_allclose(getattr(together, name), [getattr(one, name) for one in alone])
