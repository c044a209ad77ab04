"""Which refused bars are the ones that are stored: then the store believes them no more."""

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from ensemble.bars import BAR_COLUMNS, check_bars
from ensemble.validation.doubts import doubted, let_in, since
from ensemble.validation.rules import Refusal, Series, Sifted

DAYS = pd.bdate_range("2024-01-01", periods=5, name="session").as_unit("us")
FALSE = DAYS[2]


def stored() -> pd.DataFrame:
    closes = [100.0, 101.0, 150.0, 103.0, 104.0]
    columns = {"open": closes, "high": [1.01 * one for one in closes], "low": [0.99 * one for one in closes]}
    frame = pd.DataFrame(columns | {"close": closes, "adj_close": [one / 2 for one in closes]}, index=DAYS)
    return frame.assign(volume=1000.0)


def sifted(told: pd.DataFrame, reason: Refusal = Refusal.BAD_TICK) -> Sifted:
    refused = told.loc[[FALSE]].reset_index()
    refused.insert(1, "reason", str(reason))
    return Sifted(told.drop(index=FALSE), refused)


def days(found: pd.DataFrame) -> list[pd.Timestamp]:
    return list(found.index)


@pytest.mark.parametrize("factor", [1.0, 0.5, 0.98, 1.00000001])
def test_a_stored_bar_is_doubted_also_in_the_scale_of_a_restated_history(factor: float) -> None:
    told = stored()
    told[list(BAR_COLUMNS[:5])] *= factor
    assert days(doubted(stored(), sifted(told))) == [FALSE]


@pytest.mark.parametrize("column", ["close", "adj_close"])
def test_other_values_of_a_session_say_nothing_against_those_that_are_stored(column: str) -> None:
    told = stored()
    told[column] *= np.where(told.index == FALSE, 1.001, 1.0)
    assert days(doubted(stored(), sifted(told))) == []


def test_neither_a_bar_that_is_not_stored_nor_one_of_two_is_doubted() -> None:
    assert days(doubted(stored().drop(index=FALSE), sifted(stored()))) == []
    assert days(doubted(stored(), sifted(stored(), Refusal.DUPLICATE))) == []


def test_without_a_kept_bar_beside_it_the_values_themselves_are_compared() -> None:
    alone = Sifted(stored().iloc[:0], sifted(stored()).refused)
    assert days(doubted(stored(), alone)) == [FALSE]


def test_what_is_let_in_is_a_bar_like_the_others() -> None:
    told = stored()
    told["high"] = told["high"].mask(told.index == FALSE, told["close"] - 0.001)
    series = Series("A.NS", True, None)
    whole = let_in(sifted(told), pd.DatetimeIndex([FALSE]), series)
    check_bars(whole.kept, complete=True)
    assert whole.refused.empty
    assert_frame_equal(whole.kept.drop(columns="high"), told.drop(columns="high"), check_freq=False)
    assert let_in(whole, pd.DatetimeIndex([FALSE]), series) is whole


def test_of_older_sessions_nothing_is_left_and_what_has_no_date_stays() -> None:
    without_date = sifted(stored()).refused.assign(session=pd.DatetimeIndex([pd.NaT]))
    both = Sifted(stored(), pd.concat([sifted(stored()).refused, without_date], ignore_index=True))
    late = since(both, DAYS[3])
    assert days(late.kept) == list(DAYS[3:])
    assert late.refused["session"].isna().tolist() == [True]
