"""No row of the panel knows anything that was not known at its decision."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal

from ensemble.features.matrix import Market, build_panel, context_needed_from
from ensemble.panel import Panel
from ensemble.sessions import SessionCalendar

MakeMarket = Callable[..., Market]
ROW = 380


@pytest.fixture(scope="module")
def market(make_market: MakeMarket) -> Market:
    return make_market()


@pytest.fixture(scope="module")
def panel(market: Market) -> Panel:
    return build_panel(market)


def with_bars(market: Market, change: Callable[[pd.DataFrame], pd.DataFrame]) -> Market:
    """The market with every series at home and abroad changed."""
    return replace(
        market,
        bars={symbol: change(bars) for symbol, bars in market.bars.items()},
        context={symbol: (exchange, change(bars)) for symbol, (exchange, bars) in market.context.items()},
    )


def with_context(market: Market, symbol: str, change: Callable[[pd.DataFrame], pd.DataFrame]) -> Market:
    exchange, bars = market.context[symbol]
    return replace(market, context={**market.context, symbol: (exchange, change(bars))})


def times_from(bars: pd.DataFrame, row: int, factor: float) -> pd.DataFrame:
    """Prices and volume from `row` on multiplied."""
    changed = bars.copy()
    changed.iloc[row:] *= factor
    return changed


@pytest.mark.parametrize("row", [310, ROW, 415])
def test_cutting_everything_after_a_session_leaves_its_row_the_same_to_the_bit(
    market: Market, panel: Panel, row: int
) -> None:
    calendar = market.calendar
    home = SessionCalendar("XNSE", calendar.sessions[: row + 1], calendar.opens[: row + 1], calendar.closes[: row + 1])
    cut = replace(with_bars(market, lambda bars: bars.iloc[:row]), calendar=home)
    assert_array_equal(build_panel(cut).values, panel.values[:, : row + 1])


@pytest.mark.parametrize("row", [300, ROW, 419])
def test_a_few_rows_from_a_short_context_are_the_same_bits_as_in_the_whole_panel(
    market: Market, panel: Panel, row: int
) -> None:
    first = market.calendar.sessions[row]
    needed = pd.Timestamp(context_needed_from(market.calendar, first))
    short = {symbol: (exchange, bars.loc[needed:]) for symbol, (exchange, bars) in market.context.items()}
    few = build_panel(replace(market, context=short), first)
    assert few.sessions.equals(panel.sessions[row:])
    assert_array_equal(few.values, panel.values[:, row:])
    assert_array_equal(few.labels, panel.labels[:, row:])
    assert_array_equal(few.bar_age, panel.bar_age[:, row:])


def test_corrupting_bars_from_a_session_on_changes_no_earlier_row_nor_its_own(market: Market, panel: Panel) -> None:
    corrupt = build_panel(with_bars(market, lambda bars: times_from(bars, ROW, 1.5)))
    assert_array_equal(corrupt.values[:, : ROW + 1], panel.values[:, : ROW + 1])
    assert not np.array_equal(corrupt.values[:, ROW + 1], panel.values[:, ROW + 1], equal_nan=True)


def test_new_york_of_the_same_date_is_not_known_and_that_of_the_day_before_is(market: Market, panel: Panel) -> None:
    same = build_panel(with_context(market, "ETF", lambda bars: times_from(bars, ROW, 1.1)))
    before = build_panel(with_context(market, "ETF", lambda bars: times_from(bars, ROW - 1, 1.1)))
    assert_array_equal(same.values[:, ROW], panel.values[:, ROW])
    moved = panel.features.index("ETF since_close")
    assert (before.values[:, ROW, moved] > panel.values[:, ROW, moved] + 0.5).all()


def test_restating_history_by_a_constant_changes_no_bit(market: Market, panel: Panel) -> None:
    def split(bars: pd.DataFrame) -> pd.DataFrame:
        return bars.assign(
            **{name: bars[name] / 3 for name in ("open", "high", "low", "close", "adj_close")},
            volume=bars["volume"] * 3,
        )

    restated = build_panel(with_bars(market, split))
    assert_array_equal(restated.values, panel.values)
    assert_array_equal(restated.labels, panel.labels)


def test_a_dividend_restatement_of_adjusted_closes_changes_no_bit(market: Market, panel: Panel) -> None:
    restated = with_bars(market, lambda bars: bars.assign(adj_close=bars["adj_close"] * 0.97))
    assert_array_equal(build_panel(restated).values, panel.values)


def test_the_order_of_symbols_only_reorders_the_panel(market: Market, panel: Panel) -> None:
    swapped = build_panel(replace(market, bars=dict(sorted(market.bars.items(), reverse=True))))
    assert swapped.symbols == panel.symbols[::-1]
    assert_array_equal(swapped.values, panel.values[::-1])


def test_a_missing_bar_makes_the_next_row_older_and_hides_the_labels_that_need_it(market: Market) -> None:
    name = panel_symbol = "AAA.NS"
    bars = market.bars[name].drop(market.calendar.sessions[ROW - 1])
    panel = build_panel(replace(market, bars={**market.bars, name: bars}))
    place = panel.symbols.index(panel_symbol)
    assert panel.bar_age[place, ROW - 1 : ROW + 2].tolist() == [1, 2, 1]
    assert np.isnan(panel.labels[place, ROW, 0])  # its gap has no previous close


def test_a_series_without_bars_becomes_unknown_and_nothing_else_changes(market: Market, panel: Panel) -> None:
    empty = build_panel(with_context(market, "OIL=F", lambda bars: bars.iloc[:0]))
    oil = np.array([name.startswith("OIL=F") for name in panel.features])
    assert empty.features == panel.features
    assert np.isnan(empty.values[:, :, oil]).all()
    own = np.array([panel.features.index(name) for name in ("return_1", "rsi_14", "ETF since_close")])
    assert_array_equal(empty.values[:, :, own], panel.values[:, :, own])


def test_a_peer_without_bars_is_unknown_and_old(market: Market) -> None:
    panel = build_panel(replace(market, bars={**market.bars, "NEW.NS": market.bars["AAA.NS"].iloc[:0]}))
    place = panel.symbols.index("NEW.NS")
    assert (panel.bar_age[place] == -1).all()
    assert np.isnan(panel.values[place, :, panel.features.index("return_1")]).all()
    assert np.isnan(panel.labels[place]).all()


@pytest.mark.parametrize("count", [1, 2, 3, 4, 30, 70, 270])
def test_a_young_symbol_knows_on_each_day_what_it_will_be_said_to_have_known(
    market: Market, panel: Panel, count: int
) -> None:
    young = with_bars(market, lambda bars: bars.iloc[:count])
    assert_array_equal(build_panel(young).values[:, : count + 1], panel.values[:, : count + 1])


def test_every_feature_has_warmed_up_by_the_last_row(panel: Panel) -> None:
    unknown = [name for name, value in zip(panel.features, panel.values[0, -1], strict=True) if np.isnan(value)]
    assert unknown == []


def test_digests_follow_the_rows_they_are_of(market: Market, panel: Panel) -> None:
    corrupt = build_panel(with_bars(market, lambda bars: times_from(bars, ROW, 1.5)))
    assert corrupt.digest(slice(0, ROW + 1)) == panel.digest(slice(0, ROW + 1))
    assert corrupt.digest(slice(0, ROW + 2)) != panel.digest(slice(0, ROW + 2))


def test_a_digest_does_not_depend_on_where_the_panel_begins(market: Market, panel: Panel) -> None:
    few = build_panel(market, market.calendar.sessions[ROW])
    assert few.digest(slice(0, 3)) == panel.digest(slice(ROW, ROW + 3))
    assert few.digest(slice(0, 3)) != panel.digest(slice(ROW, ROW + 4))
