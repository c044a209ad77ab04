"""How often forecasts as sure as this one were right, counted by hand."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ensemble.evaluation.past_record import band_of, past_record, rehearsed_record
from ensemble.evaluation.scored import Scored
from ensemble.stacking.evidence import gather_evidence


def scored(probability: list[float], outcome: list[float]) -> Scored:
    sessions = pd.date_range("2020-01-01", periods=len(probability), freq="B")
    return Scored("gap", sessions, ("AAA",), np.array([probability]), np.array([outcome]), 1)


@given(st.floats(0.5, 1))
def test_the_band_holds_the_confidence(confidence: float) -> None:
    low, high = band_of(confidence)
    assert low - 1e-9 <= confidence <= high
    assert high - low == pytest.approx(0.05)


@pytest.mark.parametrize(("confidence", "low"), [(0.5, 0.5), (0.7, 0.7), (0.7499, 0.7), (0.75, 0.75), (1.0, 0.95)])
def test_a_band_holds_its_lower_end_and_the_highest_both(confidence: float, low: float) -> None:
    assert band_of(confidence)[0] == pytest.approx(low)


def test_both_sides_of_one_half_count_and_what_is_not_known_does_not() -> None:
    record = past_record(scored([0.72, 0.28, 0.71, 0.76, 0.74, 0.26], [1, 0, 0, 1, np.nan, 1]), 0.73)
    assert (record.forecasts, record.sessions) == (4, 4)
    assert record.claimed == pytest.approx((0.72 + 0.72 + 0.71 + 0.74) / 4)
    assert record.right.value == pytest.approx(2 / 4)
    assert record.right.low < 0.5 < record.right.high
    assert record.commoner_side == pytest.approx(0.5)


def test_nothing_as_sure_is_nothing_known() -> None:
    record = past_record(scored([0.6], [1]), 0.9)
    assert record.forecasts == 0
    assert np.isnan([record.claimed, record.right.value, record.commoner_side]).all()


@given(st.integers(0, 1_000))
def test_a_rehearsal_of_one_stock_without_overlap_counts_as_its_forecasts_do(seed: int) -> None:
    random = np.random.default_rng(seed)
    scores = random.integers(-300, 300, size=40)
    outcome = (random.random(40) < 0.6).astype(np.float64)
    log_odds = scores / 100
    record = rehearsed_record(gather_evidence(log_odds[None], outcome[None], lags=0), 0.72)
    same = past_record(scored((1 / (1 + np.exp(-log_odds))).tolist(), outcome.tolist()), 0.72)
    assert record.forecasts == same.forecasts
    if same.forecasts:
        assert record.claimed == pytest.approx(same.claimed)
        assert record.right.value == pytest.approx(same.right.value)
        assert record.commoner_side == pytest.approx(same.commoner_side)
        assert record.right.low <= record.right.value <= record.right.high


def test_a_model_without_evidence_has_rehearsed_nothing() -> None:
    nothing = gather_evidence(np.zeros((1, 3)), np.full((1, 3), np.nan), lags=0)
    assert rehearsed_record(nothing, 0.7).forecasts == 0
