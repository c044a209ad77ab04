"""What lies before the hold-out knows nothing of it."""

from collections.abc import Callable
from datetime import date

import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from ensemble.evaluation.holdout import EvaluationOptions, before_holdout
from ensemble.features.matrix import Market
from ensemble.labels import LABELS, label_bars
from ensemble.trading.limits import RiskLimits

LIMITS = RiskLimits()


@pytest.fixture(scope="module")
def market(make_market: Callable[..., Market]) -> Market:
    return make_market()


def forecasts(market: Market, bars: pd.DataFrame) -> pd.DataFrame:
    """One of each label and session, with what came of it."""
    sessions = market.calendar.sessions
    wide = label_bars(bars, sessions=sessions, limits=LIMITS).rename_axis("session").reset_index()
    return wide.melt("session", list(LABELS), var_name="label", value_name="outcome")


@pytest.mark.parametrize("row", [100, 250, 300])
def test_outcomes_are_those_that_bars_cut_at_the_hold_out_give(market: Market, row: int) -> None:
    sessions, bars = market.calendar.sessions, market.bars["AAA.NS"]
    since = sessions[row]
    seen = before_holdout(forecasts(market, bars), since.date(), sessions=sessions, limits=LIMITS)
    cut = forecasts(market, bars.loc[bars.index < since])
    assert_frame_equal(seen, cut[cut["session"] < since])
    assert seen["outcome"].notna().any()


def test_a_hold_out_that_has_not_begun_hides_nothing(market: Market) -> None:
    sessions, rows = market.calendar.sessions, forecasts(market, market.bars["AAA.NS"])
    for since in (None, date(2100, 1, 1)):
        assert_frame_equal(before_holdout(rows, since, sessions=sessions, limits=LIMITS), rows)


def test_the_last_open_day_is_the_one_before_the_hold_out() -> None:
    options = EvaluationOptions(holdout_from=date(2020, 7, 1))
    assert options.last_open(date(2020, 12, 31)) == date(2020, 6, 30)
    assert options.last_open(date(2020, 5, 1)) == date(2020, 5, 1)
    assert EvaluationOptions().last_open(date(2020, 12, 31)) == date(2020, 12, 31)
