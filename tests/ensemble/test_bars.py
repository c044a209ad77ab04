import math

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from ensemble.bars import BAR_COLUMNS, BarsError, above_zero, check_bars

GOOD = {"open": 100.0, "high": 102.0, "low": 99.0, "close": 101.0, "adj_close": 50.5, "volume": 1000.0}


def bars() -> pd.DataFrame:
    """Six good bars from Monday 2024-01-01 on."""
    index = pd.date_range("2024-01-01", periods=6, freq="B", name="session")
    return pd.DataFrame([GOOD] * 6, index=index, columns=list(BAR_COLUMNS))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda f: f.rename_axis("Date"), "named 'Date'"),
        (lambda f: f.tz_localize("UTC"), "naive dates"),
        (lambda f: f[list(reversed(BAR_COLUMNS))], "in this order"),
        (lambda f: f.astype({"volume": "int64"}), "float64"),
        (lambda f: f[::-1], "strictly increasing"),
        (lambda f: pd.concat([f, f[-1:]]), "strictly increasing"),
        (lambda f: f.set_axis(f.index + pd.Timedelta(hours=9), axis=0), "midnight"),
        (lambda f: f.assign(close=math.nan), "bar of 2024-01-01 .* not_finite"),
        (lambda f: f.assign(high=101.5, close=101.501), "range"),
        (lambda f: f.assign(volume=0.0), "no_volume"),
    ],
)
def test_a_frame_that_is_no_bars_frame_is_named_at_the_border(spoil: object, message: str) -> None:
    assert callable(spoil)
    check_bars(bars(), complete=True)
    with pytest.raises(BarsError, match=message):
        check_bars(spoil(bars()), complete=True)


def test_context_bars_with_gaps_pass_the_border() -> None:
    gaps = bars().assign(open=math.nan, high=math.nan, low=math.nan, volume=math.nan)
    assert check_bars(gaps, complete=False) is not None
    with pytest.raises(BarsError):
        check_bars(gaps, complete=True)


def test_a_price_below_zero_passes_the_border_only_where_it_may() -> None:
    oil = bars().assign(low=-40.0, close=-37.0, adj_close=-37.0)
    assert check_bars(oil, complete=False, positive=False) is not None
    with pytest.raises(BarsError, match="not_positive"):
        check_bars(oil, complete=False)


def test_ratios_see_no_bar_that_closed_below_zero_and_no_such_open() -> None:
    oil = bars()
    oil.loc[oil.index[2], ["low", "close", "adj_close"]] = -37.0
    oil.loc[oil.index[3], ["open", "low"]] = -14.0, -17.0
    seen = above_zero(oil)
    assert oil.index[2] not in seen.index
    assert np.isnan(seen.loc[oil.index[3], ["open", "low"]]).all()
    assert_frame_equal(seen.drop(oil.index[3]), oil.drop(oil.index[[2, 3]]), check_freq=False)
    assert above_zero(bars()).equals(bars())
