"""The variance of a mean of overlapping terms is what it is known to be."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.sandwich_covariance import S_hac_simple

from ensemble.evaluation.overlap import overlap_freedom, overlap_variance
from ensemble.long_run import long_run_variance


def moving_sums(count: int, horizon: int, seed: int) -> np.ndarray:
    """Sums of `horizon` neighbours: the variance of their mean is horizon squared, over the count."""
    shocks = np.random.default_rng(seed).normal(size=count + horizon - 1)
    return np.convolve(shocks, np.ones(horizon), "valid")


@pytest.mark.parametrize("horizon", [1, 3, 10])
def test_the_covariances_of_overlapping_terms_count_in_full(horizon: int) -> None:
    found = [overlap_variance(moving_sums(2000, horizon, seed), horizon=horizon) for seed in range(60)]
    error = np.std(found) / np.sqrt(len(found))
    assert abs(np.mean(found) - horizon**2) < 3 * error + 0.03 * horizon**2  # the mean is estimated too
    if horizon > 1:
        falling = [
            long_run_variance(moving_sums(2000, horizon, seed), lags=2 * (horizon - 1)) for seed in range(len(found))
        ]
        assert np.mean(falling) < 0.93 * horizon**2


def test_the_trapezoid_is_written_out() -> None:
    series = moving_sums(300, 4, seed=1)
    centred = series - series.mean()
    weights = {1: 1, 2: 1, 3: 1, 4: 0.75, 5: 0.5, 6: 0.25}
    expected = centred @ centred + 2 * sum(weight * (centred[lag:] @ centred[:-lag]) for lag, weight in weights.items())
    assert overlap_variance(series, horizon=4) == pytest.approx(expected / 300)
    assert overlap_freedom(300, horizon=4) == pytest.approx(300 / (1 + 2 * (3 + 0.75**2 + 0.5**2 + 0.25**2)) - 1)


def test_without_overlap_it_is_the_plain_variance_with_its_degrees_of_freedom() -> None:
    series = np.random.default_rng(0).normal(size=50)
    assert overlap_variance(series, horizon=1) == pytest.approx(series.var())
    assert overlap_freedom(50, horizon=1) == 49


@given(st.lists(st.floats(-1, 1), min_size=2, max_size=60), st.integers(1, 12))
def test_it_is_never_below_that_of_newey_and_west(values: list[float], horizon: int) -> None:
    series = np.array(values)
    lags = min(2 * (horizon - 1), len(series) - 1)
    theirs = float(np.squeeze(S_hac_simple((series - series.mean())[:, None], nlags=lags))) / len(series)
    assert overlap_variance(series, horizon=horizon) >= theirs - 1e-9
    assert overlap_freedom(len(series), horizon=horizon) >= 1
