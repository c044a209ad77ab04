"""Features are standardised by what the window knew."""

import numpy as np
import pytest

from ensemble.members.scaling import CLIP, fit_scaler
from ensemble.windows import Window


def window() -> Window:
    values = np.random.default_rng(0).normal(size=(2, 200, 3)).astype(np.float32)
    return Window(values, np.zeros((2, 200, 4), np.float32), embargo_rows=4)


def test_standardised_features_are_cut_and_unknown_ones_are_zero() -> None:
    learned = window()
    learned.values[0, 0] = (1e6, np.nan, -1e6)
    learned.values[:, :, 2] = 3.0
    scaler = fit_scaler(learned)
    assert scaler(learned.values[:, :1])[0, 0].tolist() == [CLIP, 0.0, 0.0]


@pytest.mark.parametrize("feature", [0, 1])
def test_standardising_gives_mean_zero_and_deviation_one(feature: int) -> None:
    learned = window()
    learned.values[:, :20, 1] = np.nan
    scaled = fit_scaler(learned)(learned.values)[:, 20:, feature]
    assert abs(scaled.mean()) < 0.1
    assert abs(scaled.std() - 1) < 0.1
