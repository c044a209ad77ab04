"""What the sieve finds in made-up bars with made-up faults, whose truth is known."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ensemble.validation.rules import BarRules, Series
from ensemble.validation.sifting import sift_bars
from tests.ensemble.validation.faulty import FAULTS, SESSIONS, clean_bars, measure

SEEDS = range(6)


@pytest.mark.parametrize("name", FAULTS)
def test_every_fault_is_found_and_nothing_else(name: str) -> None:
    measured = [measure(FAULTS[name], np.random.default_rng(seed)) for seed in SEEDS]
    missed = sum(one.spoilt - one.refused for one in measured)
    assert missed == 0
    assert sum(one.false_alarms for one in measured) == 0


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=15)
def test_clean_bars_of_fat_tails_are_all_kept(seed: int) -> None:
    bars = clean_bars(np.random.default_rng(seed))
    sifted = sift_bars(bars, Series("A.NS", complete=True, sessions=None), rules=BarRules())
    assert sifted.refused.empty
    assert sifted.kept.equals(bars)


@given(seed=st.integers(0, 2**32 - 1), row=st.integers(100, len(SESSIONS) - 100), fall=st.floats(0.1, 0.6))
@settings(max_examples=15)
def test_a_crash_that_stays_is_kept_however_deep(seed: int, row: int, fall: float) -> None:
    bars = clean_bars(np.random.default_rng(seed))
    bars.iloc[row:, :5] *= 1 - fall
    assert sift_bars(bars, Series("A.NS", complete=True, sessions=None), rules=BarRules()).refused.empty


@given(seed=st.integers(0, 2**32 - 1), row=st.integers(100, len(SESSIONS) - 100), fall=st.floats(0.1, 0.3))
@settings(max_examples=15)
def test_a_crash_that_was_traded_into_is_kept_though_it_is_undone_the_next_day(
    seed: int, row: int, fall: float
) -> None:
    bars = clean_bars(np.random.default_rng(seed))
    where = pd.Series(1.0, index=bars.index)
    where.iloc[row] = 1 - fall
    bars["close"] *= where
    bars["adj_close"] *= where
    bars["low"] = bars[["low", "close"]].min(axis=1)
    bars.iloc[row + 1, 0] = bars["close"].iloc[row]  # opened where it had closed: so people did trade there
    bars["low"] = bars[["low", "open"]].min(axis=1)
    assert sift_bars(bars, Series("A.NS", complete=True, sessions=None), rules=BarRules()).refused.empty
