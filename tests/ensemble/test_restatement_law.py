"""A history that a feed multiplies by a constant asks the same questions, and gets the same answers."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from ensemble.bars import BAR_COLUMNS
from ensemble.features.matrix import Market, build_panel
from ensemble.panel import Panel
from tests.ensemble.conftest import MakeMarket

SESSIONS = 320
SHARES = st.sampled_from([2.0, 4 / 3, 10.0, 1.5, 0.1])
KEPT = st.floats(0.5, 1.0, exclude_min=True)


@pytest.fixture(scope="module")
def market(make_market: MakeMarket) -> Market:
    return make_market(SESSIONS)


@pytest.fixture(scope="module")
def panel(market: Market) -> Panel:
    return build_panel(market)


def restated(market: Market, symbol: str, shares: float, kept: float) -> Market:
    """As after a split into so many shares, and a dividend that keeps this part of the adjusted closes."""
    bars = market.bars[symbol].copy()
    bars[list(BAR_COLUMNS[:5])] /= shares
    bars["adj_close"] *= kept
    bars["volume"] *= shares
    return replace(market, bars={**market.bars, symbol: bars})


@settings(max_examples=8)
@given(shares=SHARES, kept=KEPT, symbol=st.sampled_from(["AAA.NS", "BBB.NS"]))
def test_a_restatement_by_any_constant_leaves_features_and_labels_as_they_were(
    market: Market, panel: Panel, shares: float, kept: float, symbol: str
) -> None:
    other = build_panel(restated(market, symbol, shares, kept))
    assert_array_equal(other.labels, panel.labels)
    assert_array_equal(other.bar_age, panel.bar_age)
    np.testing.assert_allclose(other.values, panel.values, rtol=1e-5, atol=1e-6)


@settings(max_examples=4)
@given(shares=st.sampled_from([2.0, 0.5, 4.0, 1024.0]))
def test_where_the_constant_is_exact_in_binary_so_is_every_feature(market: Market, panel: Panel, shares: float) -> None:
    other = build_panel(restated(market, "AAA.NS", shares, 1.0))
    assert_array_equal(other.values, panel.values)
    assert_array_equal(other.labels, panel.labels)


def test_a_history_that_was_multiplied_in_part_is_another_one(market: Market, panel: Panel) -> None:
    bars = market.bars["AAA.NS"].copy()
    bars.iloc[: SESSIONS // 2, :5] *= 1.1
    other = build_panel(replace(market, bars={**market.bars, "AAA.NS": bars}))
    assert not np.array_equal(other.labels, panel.labels, equal_nan=True)
    assert not np.array_equal(other.values, panel.values, equal_nan=True)
