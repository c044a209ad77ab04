"""A restatement leaves every window as it was; a correction changes exactly the windows that hold the bar."""

from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from ensemble.bar_ratios import (
    LOOKED_AT,
    REACH_SESSIONS,
    TOLERANCE,
    TRADED,
    BarDigests,
    Ratios,
    as_first_seen,
    bar_digests,
    bar_ratios,
    market_ratios,
    packed,
    unpacked,
    with_later,
)
from ensemble.features.matrix import Market, build_panel
from ensemble.windows import WalkForward

Change = Callable[[pd.DataFrame], pd.DataFrame]
PLAN = WalkForward(window_years=1, min_sessions=120)
SESSIONS = 1100
MONTHS = [f"{month}" for month in pd.period_range("2016-01", "2019-02", freq="M")]
PRICES = ["open", "high", "low", "close", "adj_close"]
FIRST_OF_2017 = len(pd.bdate_range("2015-01-01", "2016-12-31"))
"""A row; January 2018 learns from it on."""


@pytest.fixture(scope="module")
def market(make_market: Callable[..., Market]) -> Market:
    return make_market(SESSIONS)


@pytest.fixture(scope="module")
def first_seen(market: Market) -> dict[str, Ratios]:
    return market_ratios(market)


@pytest.fixture(scope="module")
def digests(market: Market, first_seen: dict[str, Ratios]) -> dict[str, str]:
    return digests_of(bar_digests(market, first_seen))


def digests_of(bars: BarDigests) -> dict[str, str]:
    """Month -> the digest of the window that its members learn from."""
    return {month: bars.digest(PLAN.fold(bars.sessions, month).train) for month in MONTHS}


def changed_months(market: Market, seen: dict[str, Ratios], digests: dict[str, str]) -> list[str]:
    """Months whose digest is another one, for the bars of `market` after `seen`."""
    now = {name: as_first_seen(ratios, seen[name]) for name, ratios in market_ratios(market).items()}
    again = digests_of(bar_digests(market, now))
    return [month for month in MONTHS if again[month] != digests[month]]


def months_that_hold(market: Market, sessions: Iterable[pd.Timestamp]) -> list[str]:
    """Worked out from the calendar alone: months that learn from one of `sessions` or look back on it."""
    holding = []
    for month in MONTHS:
        first = pd.Timestamp(month)
        known = market.calendar.sessions
        learnt = known[(known >= first - pd.DateOffset(years=1)) & (known < first)]
        before = known[known < learnt[0]][-REACH_SESSIONS:]
        if any(session in learnt or session in before for session in sessions):
            holding.append(month)
    return holding


def with_traded(market: Market, change: Change, symbol: str = "AAA.NS") -> Market:
    return replace(market, bars={**market.bars, symbol: change(market.bars[symbol].copy())})


def with_context(market: Market, change: Change, symbol: str = "ETF") -> Market:
    exchange, bars = market.context[symbol]
    return replace(market, context={**market.context, symbol: (exchange, change(bars.copy()))})


def times(bars: pd.DataFrame, rows: slice, column: str, factor: float) -> pd.DataFrame:
    """The bars with one column multiplied in those rows."""
    values = bars[column].to_numpy(copy=True)
    values[rows] *= factor
    return bars.assign(**{column: values})


def split(bars: pd.DataFrame) -> pd.DataFrame:
    """A 1:3 split as a vendor restates it: in single precision."""
    return bars.assign(volume=bars["volume"] * 3, **{name: (bars[name] / 3).astype("float32") for name in PRICES})


def dividend(bars: pd.DataFrame) -> pd.DataFrame:
    return bars.assign(adj_close=(bars["adj_close"] * 0.98731).astype("float32"))


def four_decimals(bars: pd.DataFrame) -> pd.DataFrame:
    """Restated and written down with four decimals."""
    return bars.assign(adj_close=(bars["adj_close"] * 0.98731).round(4))


@pytest.mark.parametrize("restate", [split, dividend, four_decimals])
@pytest.mark.parametrize("where", [with_traded, with_context])
def test_a_restated_history_leaves_every_window_as_it_was(
    where: Callable[[Market, Change], Market],
    restate: Change,
    market: Market,
    first_seen: dict[str, Ratios],
    digests: dict[str, str],
) -> None:
    restated = where(market, restate)
    assert changed_months(restated, first_seen, digests) == []
    plain = digests_of(bar_digests(restated, market_ratios(restated)))
    assert plain != digests  # the restatement did move the ratios' last digits


@settings(max_examples=8)
@example(row=FIRST_OF_2017 - REACH_SESSIONS - 1, column="close", size=0.01)
@example(row=FIRST_OF_2017 - REACH_SESSIONS, column="close", size=0.01)
@example(row=FIRST_OF_2017 - 1, column="volume", size=0.01)
@example(row=FIRST_OF_2017, column="volume", size=0.01)
@given(
    row=st.integers(0, SESSIONS - 1),
    column=st.sampled_from(TRADED),
    size=st.sampled_from([1e-4, -2e-3, 0.5]),
)
def test_a_corrected_bar_changes_exactly_the_windows_that_hold_it(
    market: Market, first_seen: dict[str, Ratios], digests: dict[str, str], row: int, column: str, size: float
) -> None:
    corrected = with_traded(market, lambda bars: times(bars, slice(row, row + 1), column, 1 + size))
    found = changed_months(corrected, first_seen, digests)
    assert found == months_that_hold(market, [market.calendar.sessions[row]])


@settings(max_examples=8)
@example(row=FIRST_OF_2017 - 1, column="adj_close", symbol="ETF")
@example(row=FIRST_OF_2017 - REACH_SESSIONS - 2, column="adj_close", symbol="ETF")
@given(row=st.integers(0, SESSIONS - 2), column=st.sampled_from(LOOKED_AT), symbol=st.sampled_from(["ETF", "^INDEX"]))
def test_a_corrected_context_bar_counts_from_the_session_that_first_knows_it(
    market: Market, first_seen: dict[str, Ratios], digests: dict[str, str], row: int, column: str, symbol: str
) -> None:
    corrected = with_context(market, lambda bars: times(bars, slice(row, row + 1), column, 1.01), symbol)
    found = changed_months(corrected, first_seen, digests)
    assert found == months_that_hold(market, [market.calendar.sessions[row + 1]])


@settings(max_examples=6)
@given(row=st.integers(1, SESSIONS - 2))
def test_a_bar_that_vanishes_or_arrives_late_is_a_correction(
    market: Market, first_seen: dict[str, Ratios], digests: dict[str, str], row: int
) -> None:
    closes = market.bars["AAA.NS"]["close"]
    assume(abs(closes.iloc[row] / closes.iloc[row - 1] - 1) > TOLERANCE)  # else the next bar's ratios stay as they were
    without = with_traded(market, lambda bars: bars.drop(bars.index[row]))
    # The bar after it is compared with another one now.
    held = months_that_hold(market, market.calendar.sessions[row : row + 1])
    found = changed_months(without, first_seen, digests)
    assert set(held) <= set(found) <= set(months_that_hold(market, market.calendar.sessions[row : row + 2]))
    gone = market_ratios(without)
    arrived = {name: as_first_seen(ratios, gone[name]) for name, ratios in first_seen.items()}
    assert digests_of(bar_digests(market, arrived)) == digests


def test_what_no_feature_reads_of_a_context_bar_may_be_revised(
    market: Market, first_seen: dict[str, Ratios], digests: dict[str, str]
) -> None:
    revised = with_context(market, lambda bars: bars.assign(volume=bars["volume"] + 7, high=bars["high"] * 1.01))
    assert changed_months(revised, first_seen, digests) == []


def test_a_dividend_booked_late_corrects_the_day_it_fell_on(
    market: Market, first_seen: dict[str, Ratios], digests: dict[str, str]
) -> None:
    booked = with_traded(market, lambda bars: times(bars, slice(0, 700), "adj_close", 0.97))
    found = changed_months(booked, first_seen, digests)
    both_sides = set(months_that_hold(market, [market.calendar.sessions[699]]))
    assert set(found) == both_sides & set(months_that_hold(market, [market.calendar.sessions[700]]))


def test_a_correction_taken_back_finds_the_windows_of_before(
    market: Market, first_seen: dict[str, Ratios], digests: dict[str, str]
) -> None:
    corrected = market_ratios(with_traded(market, lambda bars: times(bars, slice(600, 601), "close", 1.01)))
    seen = {name: as_first_seen(ratios, first_seen[name]) for name, ratios in corrected.items()}
    assert changed_months(market, seen, digests) == []


def test_sessions_that_come_change_no_window_before_them(market: Market, digests: dict[str, str]) -> None:
    calendar = market.calendar
    early = replace(
        market,
        calendar=replace(
            calendar, sessions=calendar.sessions[:900], opens=calendar.opens[:900], closes=calendar.closes[:900]
        ),
        bars={symbol: bars.iloc[:899] for symbol, bars in market.bars.items()},
        context={symbol: (exchange, bars.iloc[:899]) for symbol, (exchange, bars) in market.context.items()},
    )
    bars = bar_digests(early, market_ratios(early))
    months = [month for month in MONTHS if month <= f"{early.calendar.sessions[-1]:%Y-%m}"]
    assert {month: bars.digest(PLAN.fold(bars.sessions, month).train) for month in months} == {
        month: digests[month] for month in months
    }


def test_another_calendar_is_another_window(market: Market, digests: dict[str, str]) -> None:
    calendar = market.calendar
    keep = np.arange(len(calendar.sessions)) != 600
    fewer = replace(
        market,
        calendar=replace(
            calendar, sessions=calendar.sessions[keep], opens=calendar.opens[keep], closes=calendar.closes[keep]
        ),
    )
    again = digests_of(bar_digests(fewer, market_ratios(fewer)))
    assert again["2018-01"] != digests["2018-01"]


def test_windows_of_two_lengths_that_begin_inside_the_reach_are_two_windows(
    market: Market, first_seen: dict[str, Ratios]
) -> None:
    bars = bar_digests(market, first_seen)
    assert len({bars.digest(slice(start, 900)) for start in (0, 150, REACH_SESSIONS, REACH_SESSIONS + 1)}) == 4


def test_series_come_back_as_they_were_packed(first_seen: dict[str, Ratios]) -> None:
    again = unpacked(packed(first_seen))
    assert packed(again) == packed(first_seen)
    assert unpacked(b"") == {}
    np.testing.assert_array_equal(again["AAA.NS traded"].values, first_seen["AAA.NS traded"].values)


def test_a_shorter_history_forgets_no_later_bar(market: Market, first_seen: dict[str, Ratios]) -> None:
    whole = first_seen["AAA.NS traded"]
    short = bar_ratios(market.bars["AAA.NS"].iloc[:500], TRADED)
    np.testing.assert_array_equal(with_later(short, whole).values, whole.values)
    empty = bar_ratios(market.bars["AAA.NS"].iloc[:0], TRADED)
    np.testing.assert_array_equal(with_later(empty, whole).days, whole.days)


def test_a_price_below_zero_has_no_ratio_and_no_complaint(market: Market) -> None:
    bars = times(market.context["ETF"][1], slice(10, 11), "close", -1)
    ratios = bar_ratios(bars, LOOKED_AT).values
    assert np.isnan(ratios[10, 0])
    assert np.isnan(ratios[10:12, 1]).all()
    assert np.isfinite(ratios[12:]).all()


def test_no_feature_but_the_share_of_up_gaps_remembers_a_bar_beyond_the_reach(
    make_market: Callable[..., Market],
) -> None:
    market, row = make_market(640), 320

    def correct(bars: pd.DataFrame) -> pd.DataFrame:
        bars.iloc[row : row + 1] *= 1.05
        return bars

    corrected = with_context(with_traded(market, correct), correct)
    panel, other = build_panel(market), build_panel(corrected)
    differs = ~np.isclose(panel.values, other.values, rtol=0, atol=2e-6, equal_nan=True)
    late = np.flatnonzero(differs[:, row + REACH_SESSIONS :].any(axis=(0, 1)))
    assert {panel.features[column] for column in late} <= {"up_gap_share"}
    assert differs[:, row + REACH_SESSIONS - 40 : row + REACH_SESSIONS].any()  # the reach is not far too long
