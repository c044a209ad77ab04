"""The reliability diagram holds every forecast once, and says what came true where it was said."""

import numpy as np
import pytest

from ensemble.evaluation.reliability import reliability
from tests.ensemble.evaluation.conftest import MakeScored


def test_every_known_forecast_is_in_one_bin_and_bins_rise(make_scored: MakeScored) -> None:
    scored = make_scored(0.4, sessions=150, symbols=2)
    bins = reliability(scored)
    probability, outcome = scored.flat()
    assert sum(one.forecasts for one in bins) == len(probability)
    assert [one.said for one in bins] == sorted(one.said for one in bins)
    said = sum(one.said * one.forecasts for one in bins) / len(probability)
    came = sum(one.came_true.value * one.forecasts for one in bins) / len(probability)
    assert [said, came] == pytest.approx([probability.mean(), outcome.mean()])
    assert all(one.came_true.low <= one.came_true.value <= one.came_true.high for one in bins)


def test_few_forecasts_share_few_bins_and_none_has_none(make_scored: MakeScored) -> None:
    scored = make_scored(0.4, sessions=45)
    assert len(reliability(scored)) == 2
    assert reliability(scored.where(np.zeros(scored.outcome.shape, dtype=np.bool_))) == ()
