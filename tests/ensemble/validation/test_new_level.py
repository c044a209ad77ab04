"""A level that only the newest bars show is believed at once where something speaks for it, else after a while."""

from collections.abc import Callable
from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ensemble.validation.price_path import LONGEST_RUN
from ensemble.validation.rules import BarRules, Refusal, Series, Sifted
from ensemble.validation.sifting import sift_bars
from tests.ensemble.validation.faulty import clean_bars

COUNT = 200
SPLITS = (3.0, 2.0, 1.5, 4 / 3, 1.25)


def bars_with_level(factor: float, *, since: int, seed: int = 0) -> pd.DataFrame:
    """Clean bars whose newest `since` ones lie at another level; their volume goes the other way, as a split's does."""
    bars = clean_bars(np.random.default_rng(seed)).iloc[:COUNT]
    bars.iloc[COUNT - since :, :5] *= factor
    bars.iloc[COUNT - since :, 5] /= factor
    return bars


def sift(bars: pd.DataFrame, *, symbol: str = "A.NS", **known: object) -> Sifted:
    return sift_bars(bars, Series(symbol, True, None, **known), rules=BarRules())  # type: ignore[arg-type]


def held(sifted: Sifted) -> int:
    """How many are, for whichever reason a newest bar may be."""
    return int(sifted.refused["reason"].isin([Refusal.NEW_LEVEL, Refusal.MOVE_LIMIT]).sum())


def busy(bars: pd.DataFrame, day: int, times: float) -> pd.DataFrame:
    bars = bars.copy()
    bars.iloc[day, 5] = times * bars["volume"].iloc[day - 60 : day].median()
    return bars


@pytest.mark.parametrize("ratio", SPLITS)
@pytest.mark.parametrize("since", [1, 2, 10, LONGEST_RUN])
def test_a_split_that_nobody_told_of_is_held_however_many_bars_repeat_it(ratio: float, since: int) -> None:
    for factor in (ratio, 1 / ratio):
        sifted = sift(bars_with_level(factor, since=since))
        assert held(sifted) == since
        assert len(sifted.kept) == COUNT - since


@pytest.mark.parametrize("ratio", SPLITS)
def test_a_level_of_more_bars_than_a_false_run_ever_has_is_believed(ratio: float) -> None:
    assert held(sift(bars_with_level(1 / ratio, since=LONGEST_RUN + 1))) == 0


@pytest.mark.parametrize(("times", "count"), [(4.5, 3), (6.0, 0)])
def test_a_fall_on_which_many_more_shares_change_hands_is_news(times: float, count: int) -> None:
    assert held(sift(busy(bars_with_level(0.75, since=3), COUNT - 3, times))) == count


def test_the_shares_that_a_split_makes_are_no_news() -> None:
    assert held(sift(busy(bars_with_level(0.5, since=3), COUNT - 3, 5.0))) == 3
    assert held(sift(busy(bars_with_level(0.5, since=3), COUNT - 3, 9.0))) == 0


@pytest.mark.parametrize(("scales", "count"), [(-4.0, 0), (-2.0, 3), (4.0, 3), (np.nan, 3)])
def test_a_fall_with_the_whole_market_is_believed(scales: float, count: int) -> None:
    bars = bars_with_level(0.75, since=3)
    crowd = pd.Series(0.0, index=bars.index)
    crowd.iloc[COUNT - 3] = scales
    assert held(sift(bars, crowd=crowd)) == count


def test_a_fall_that_an_action_explains_is_believed_at_its_session_alone() -> None:
    bars = bars_with_level(0.75, since=3)
    ex_date = bars.index[COUNT - 3].date()
    assert held(sift(bars, steps={ex_date: 0.75})) == 0
    assert held(sift(bars, steps={bars.index[COUNT - 2].date(): 0.75})) == 3


def test_a_level_that_is_stored_already_is_not_doubted_again() -> None:
    bars = bars_with_level(0.75, since=3)
    assert held(sift(bars, vouched=frozenset({bars.index[COUNT - 3].date()}))) == 0


def test_a_false_level_that_ends_leaves_no_bar_behind() -> None:
    bars = bars_with_level(0.5, since=12)
    bars.iloc[COUNT - 4 :, :5] *= 2
    sifted = sift(bars)
    assert set(sifted.refused["reason"]) == {Refusal.MISSCALED}
    assert len(sifted.kept) == COUNT - 8


@settings(max_examples=12, derandomize=True)  # one gap in many thousands is wild enough by chance
@given(seed=st.integers(0, 10_000), cut=st.integers(100, COUNT))
def test_of_clean_bars_none_is_held_wherever_they_end(seed: int, cut: int) -> None:
    assert held(sift(clean_bars(np.random.default_rng(seed)).iloc[:cut])) == 0


@pytest.mark.parametrize(
    ("symbol", "factor", "count"),
    [("^NSEI", 0.75, 3), ("^VIX", 2.0, 0), ("^VIX", 4.0, 3), ("INR=X", 1.1, 3), ("CL=F", 0.6, 0), ("CL=F", 0.1, 3)],
)
def test_what_has_no_splits_has_a_measure_of_its_own(symbol: str, factor: float, count: int) -> None:
    bars = bars_with_level(factor, since=3)
    bars.iloc[:, 5] = 0.0
    assert held(sift_bars(bars, Series(symbol, False, None), rules=BarRules())) == count


def moved(change: Callable[[date], dict[date, float]]) -> int:
    bars = bars_with_level(1.0, since=3)
    return len(sift(bars, steps=change(bars.index[COUNT - 3].date())).refused)


def test_an_action_that_the_feed_has_adjusted_for_changes_nothing() -> None:
    assert moved(lambda ex_date: {ex_date: 0.5}) == 0
    assert moved(lambda _: {date(1999, 1, 1): 0.5, date(2099, 1, 1): 0.5}) == 0
