"""Trees are grown by LightGBM and read without it, to the same bits."""

import lightgbm
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from ensemble.trees import Table, Trees, grow

PARAMETERS = {"learning_rate": 0.1, "num_leaves": 12, "min_data_in_leaf": 5}


def table(rows: int = 400, unknown: float = 0.2, seed: int = 0) -> Table:
    random = np.random.default_rng(seed)
    features = np.round(random.normal(size=(rows, 5)), 2)
    features[:, 1] = random.integers(0, 2, rows)
    outcomes = (random.random(rows) < 1 / (1 + np.exp(-2 * features[:, 0]))).astype(np.float64)
    features[random.random(features.shape) < unknown] = np.nan
    features[:, 2] = 1.5  # never varies
    return Table(features, outcomes, np.zeros(rows))


@given(st.integers(0, 50), st.sampled_from([0.0, 0.2, 0.9]))
def test_the_forecast_equals_lightgbm_s_to_the_bit_unknown_values_included(seed: int, unknown: float) -> None:
    text = grow(table(seed=seed, unknown=unknown), PARAMETERS, rounds=12, seed=1)
    asked = table(rows=100, unknown=0.3, seed=seed + 1).features
    expected = lightgbm.Booster(model_str=text).predict(asked, raw_score=True)
    assert_array_equal(Trees(text).added(asked), expected)


def test_values_on_a_threshold_go_where_lightgbm_sends_them() -> None:
    data = table(unknown=0.0)
    text = grow(data, PARAMETERS, rounds=12, seed=1)
    thresholds = [
        float(word) for line in text.splitlines() if line.startswith("threshold=") for word in line[10:].split()
    ]
    asked = np.tile(np.array(thresholds)[:, None], (1, 5))
    assert_array_equal(Trees(text).added(asked), lightgbm.Booster(model_str=text).predict(asked, raw_score=True))


def test_too_little_data_for_a_split_adds_a_constant() -> None:
    text = grow(table(rows=8), PARAMETERS | {"min_data_in_leaf": 100}, rounds=3, seed=1)
    assert len(set(Trees(text).added(table().features))) == 1


def test_equal_arguments_grow_equal_text_and_another_seed_another() -> None:
    parameters = PARAMETERS | {"feature_fraction": 0.4}
    first, again, other = (grow(table(), parameters, rounds=5, seed=seed) for seed in (1, 1, 2))
    assert first == again != other


@pytest.mark.parametrize("text", ["", "tree\nversion=v3\n", "\x00\x01"])
def test_what_is_no_such_model_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no LightGBM model of format v4"):
        Trees(text)
