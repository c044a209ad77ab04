"""Prices go on over what companies did and no feed adjusts for: where the bars fell so, and nowhere else."""

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from ensemble.trading.continuity import adjusted_for
from ensemble.trading.demerger_table import shipped_demergers
from tests.ensemble.validation.faulty import clean_bars

EX = 200


def fallen(left: float, seed: int = 1) -> pd.DataFrame:
    """Clean bars that opened at the ex-date without what was carved out."""
    bars = clean_bars(np.random.default_rng(seed)).iloc[:300]
    bars.iloc[EX:, :5] *= left
    return bars


@pytest.mark.parametrize("left", [1 - 261.85 / 2841.85, 0.75, 0.5, 2 / 3])
def test_the_adjusted_closes_go_on_over_a_step_and_the_closes_stay(left: float) -> None:
    whole, bars = fallen(1.0), fallen(left)
    day = bars.index[EX].date()
    mended = adjusted_for(bars, {day: left})
    np.testing.assert_allclose(mended["adj_close"], whole["adj_close"] * left, rtol=1e-12)
    assert_frame_equal(mended.drop(columns="adj_close"), bars.drop(columns="adj_close"))


def test_steps_of_several_sessions_multiply() -> None:
    bars = fallen(0.75)
    bars.iloc[EX + 50 :, :5] *= 0.8
    mended = adjusted_for(bars, {bars.index[EX].date(): 0.75, bars.index[EX + 50].date(): 0.8})
    np.testing.assert_allclose(mended["adj_close"], fallen(1.0)["adj_close"] * 0.6, rtol=1e-12)


def test_what_the_feed_has_adjusted_for_is_not_adjusted_for_again() -> None:
    split, dividend = fallen(1.0), fallen(0.75)
    dividend.iloc[:EX, 4] *= 0.75
    day = split.index[EX].date()
    assert adjusted_for(split, {day: 0.75}) is split
    assert adjusted_for(dividend, {day: 0.75}) is dividend


def test_an_action_beyond_the_bars_changes_nothing() -> None:
    bars = fallen(1.0)
    assert adjusted_for(bars, {bars.index[0].date(): 0.5, date(1999, 1, 1): 0.5, date(2099, 1, 1): 0.5}) is bars


def test_a_demerger_that_this_feed_scaled_by_a_factor_of_its_own_is_left_as_it_is(market_folder: Path) -> None:
    raw = pd.read_csv(market_folder / "RELIANCE.NS.csv", index_col="Date", parse_dates=True).loc[
        "2005-09-01":"2006-06-30"
    ]
    bars = raw.set_axis(["open", "high", "low", "close", "adj_close", "volume"], axis=1)
    (step,) = [one for one in shipped_demergers("XNSE") if one.session == date(2006, 1, 18)]
    assert bars["close"].pct_change()["2006-01-18"] > 0.15  # the market fell by 23 %
    assert adjusted_for(bars, {step.session: 1 - step.share}) is bars


def test_the_bonus_that_no_feed_told_of_is_no_move_once_it_is_stated(market_folder: Path) -> None:
    raw = pd.read_csv(market_folder / "WIT.csv", index_col="Date", parse_dates=True).loc["2019-01-01":"2019-06-30"]
    bars = raw.set_axis(["open", "high", "low", "close", "adj_close", "volume"], axis=1)
    mended = adjusted_for(bars, {date(2019, 3, 15): 3 / 4})
    assert bars["adj_close"].pct_change()["2019-03-15"] < -0.2
    assert abs(mended["adj_close"].pct_change()["2019-03-15"]) < 0.03
