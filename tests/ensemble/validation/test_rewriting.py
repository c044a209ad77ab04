import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ensemble.validation.rewriting import rewritten
from tests.ensemble.validation.faulty import clean_bars

BARS = clean_bars(np.random.default_rng(3))
PRICES = ["open", "high", "low", "close", "adj_close"]


def test_the_same_history_again_is_no_rewriting() -> None:
    assert rewritten(BARS, BARS) == 0


@given(steps=st.lists(st.tuples(st.integers(1, len(BARS) - 1), st.floats(0.05, 20.0)), max_size=4))
def test_splits_and_dividends_are_restatements_and_taken(steps: list[tuple[int, float]]) -> None:
    fresh = BARS.copy()
    for row, factor in steps:
        fresh.iloc[:row, :5] *= factor
    assert rewritten(BARS, fresh) == 0


@given(rows=st.lists(st.integers(0, len(BARS) - 1), max_size=9, unique=True), factor=st.floats(0.5, 2.0))
def test_a_few_changed_bars_are_corrections_and_taken(rows: list[int], factor: float) -> None:
    fresh = BARS.copy()
    fresh.iloc[rows, :5] *= factor
    assert rewritten(BARS, fresh) == 0


@pytest.mark.parametrize("count", [40, 500])
@given(seed=st.integers(0, 1000))
def test_half_a_history_by_odd_factors_is_a_rewriting(seed: int, count: int) -> None:
    old = BARS[-count:]
    fresh, random = old.copy(), np.random.default_rng(seed)
    rows = random.permutation(count)[: count // 2]
    fresh.iloc[rows, :5] *= np.exp(random.normal(0, 0.1, (len(rows), 1)))
    assert rewritten(old, fresh) > count // 4


def test_rounding_of_small_prices_is_no_rewriting() -> None:
    old = BARS.copy()
    old[PRICES] /= 50
    fresh = (old * 0.97).assign(volume=old["volume"]).round(4)
    assert rewritten(old, fresh) == 0
