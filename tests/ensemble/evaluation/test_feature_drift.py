"""Features that look as they did raise nothing; ones that moved are named."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.stats import entropy

from ensemble.arrays import Singles
from ensemble.evaluation.feature_drift import BINS, BLOCK_SESSIONS, FeatureShape, drift_of, shape_of

RANDOM = np.random.default_rng(5)


def window(rows: int = 1500, features: int = 4) -> Singles:
    """Features that change slowly, as features do: neighbouring sessions are alike."""
    noise = RANDOM.normal(size=(3, rows, features))
    slow = np.array(
        [np.convolve(column, np.ones(20) / 20, "same") for column in noise.swapaxes(1, 2).reshape(-1, rows)]
    )
    return slow.reshape(3, features, rows).swapaxes(1, 2).astype(np.float32)


@pytest.fixture(scope="module")
def values() -> Singles:
    return window()


@pytest.fixture(scope="module")
def shape(values: Singles) -> FeatureShape:
    return shape_of(values[:, :1000])


def test_the_bins_share_the_window_evenly_and_what_is_missing_has_one_of_its_own(shape: FeatureShape) -> None:
    assert_allclose(shape.shares[:, :BINS], 1 / BINS, atol=0.002)
    assert_allclose(shape.shares.sum(axis=1), 1)
    assert len(shape.usual) == 1000 // BLOCK_SESSIONS


def test_the_index_is_the_divergence_of_a_second_library_in_both_directions(
    values: Singles, shape: FeatureShape
) -> None:
    block = values[:, 1000 : 1000 + BLOCK_SESSIONS]
    by_feature = []
    for column in range(4):
        known = block[..., column].ravel()
        cuts = np.concatenate([[-np.inf], shape.edges[column], [np.inf]])
        counts = np.append(np.histogram(-known, -cuts[::-1])[0][::-1], 0) + 0.5
        both = counts / counts.sum(), shape.shares[column]
        by_feature.append(entropy(*both) + entropy(*both[::-1]))
    assert_allclose(drift_of(block, shape).index, np.mean(by_feature))


def test_later_sessions_of_the_same_kind_are_seldom_unusual(values: Singles, shape: FeatureShape) -> None:
    later = [values[:, start : start + BLOCK_SESSIONS] for start in range(1000, 1480, BLOCK_SESSIONS)]
    assert sum(drift_of(block, shape).is_unusual for block in later) <= 1


def test_a_feature_that_moved_or_went_missing_is_unusual_and_named(values: Singles, shape: FeatureShape) -> None:
    block = values[:, 1000:1100].copy()
    block[..., 2] += 10
    assert (drift_of(block, shape).is_unusual, drift_of(block, shape).furthest[0]) == (True, 2)
    block = values[:, 1000:1100].copy()
    block[..., 1] = np.nan
    assert (drift_of(block, shape).is_unusual, drift_of(block, shape).furthest[0]) == (True, 1)


def test_a_feature_that_was_never_known_has_a_shape_too() -> None:
    values = window(300, 2)
    values[..., 0] = np.nan
    shape = shape_of(values)
    assert np.isfinite(shape.usual).all()
    assert not drift_of(values, shape).is_unusual
