"""A session's forecasts: what the stack sees of the panel, and how sure each probability is."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from ensemble.arrays import Floats
from ensemble.features.matrix import Market, build_panel
from ensemble.forecasts import Forecast
from ensemble.labels import LABELS
from ensemble.members.fitted import Files
from ensemble.model import CONTEXT_FEATURES, REGIME_FEATURES, Model, forecast_rows, member_odds
from ensemble.panel import Panel
from ensemble.session_forecasts import SessionForecasts
from ensemble.stacking.combiner import StackOptions, fit_combiner
from ensemble.stacking.history import History

MakeMarket = Callable[..., Market]
MONTHS, DAYS = 4, 40


@dataclass(frozen=True)
class Reader:
    """A member that takes one feature for its log-odds, the same for every label."""

    feature: str

    def log_odds(self, panel: Panel, rows: slice) -> Floats:
        column = np.nan_to_num(panel.values[:, rows, panel.features.index(self.feature)].astype(np.float64))
        return np.repeat(column[..., None], len(LABELS), axis=-1)

    def files(self) -> Files:
        raise NotImplementedError


@pytest.fixture(scope="module")
def panel(make_market: MakeMarket) -> Panel:
    return build_panel(make_market())


def model(panel: Panel, months: int) -> Model:
    """Two members, and a combiner from so many months of 40 sessions of them."""
    members = {"last": [Reader("return_1")], "week": [Reader("return_5")]}
    rows = slice(len(panel.sessions) - 1 - MONTHS * DAYS, len(panel.sessions) - 1)
    rows = slice(rows.stop - months * DAYS, rows.stop)
    history = History(
        member_odds(members, panel, rows),
        panel.sessions[rows],
        panel.labels[:, rows],
        np.repeat(np.arange(months), DAYS),
        ends=(0, 0, 0, 9),
    )
    options = StackOptions(train_months=2, gate_months=2)
    return Model("2016-08-abc", "2016-08", fit_combiner(history, options, seed=1), lambda: members)


def said_last(ready: Model, panel: Panel) -> list[Forecast]:
    """What is forecast for the panel's last session."""
    row = len(panel.sessions) - 1
    rows = slice(row, row + 1)
    odds = member_odds(ready.members, panel, rows)
    return SessionForecasts(forecast_rows(ready, odds, panel, rows=rows, data_digests=["abc"]), 0).forecasts()


def test_every_forecast_has_its_interval(panel: Panel) -> None:
    said = said_last(model(panel, MONTHS), panel)
    assert [(one.symbol, one.label) for one in said] == [(s, label) for s in panel.symbols for label in LABELS]
    for one in said:
        assert one.probability_low is not None
        assert one.probability_high is not None
        assert 0 <= one.probability_low < one.probability_high <= 1


def test_without_history_there_is_no_interval(panel: Panel) -> None:
    said = said_last(model(panel, 0), panel)
    assert {(one.method, one.probability_low, one.probability_high) for one in said} == {("mean", None, None)}


def test_a_session_forecast_alone_or_with_others_gets_the_same_interval(panel: Panel) -> None:
    ready, last = model(panel, MONTHS), len(panel.sessions) - 1
    alone = member_odds(ready.members, panel, slice(last, last + 1))
    together = member_odds(ready.members, panel, slice(last - 50, last + 1))
    ends = [ready.combiner.interval(ready.combiner.log_odds(odds)) for odds in (alone, together)]
    for one, many in zip(*ends, strict=True):
        assert_array_equal(one[:, 0], many[:, -1])


def test_the_spread_is_that_of_the_members_log_odds_as_the_combiner_sees_them(panel: Panel) -> None:
    ready, last = model(panel, MONTHS), len(panel.sessions) - 1
    odds = member_odds(ready.members, panel, slice(last, last + 1))
    odds.log_odds[0, 0] = 50.0  # surer than anybody can be: cut at CLIP_LOG_ODDS
    block = forecast_rows(ready, odds, panel, rows=slice(last, last + 1), data_digests=["abc"])
    for column, label in enumerate(LABELS):
        found = SessionForecasts(block, 0).spreads(label)
        expected = odds.clipped()[:, :, 0, column].std(axis=0)
        assert list(found) == list(panel.symbols)
        assert_allclose(list(found.values()), expected, atol=1e-7)
        assert expected[0] > 1


def test_the_stack_sees_the_regime_and_of_the_context_what_is_configured(make_market: MakeMarket) -> None:
    market = make_market()
    etf, index = market.context["ETF"], market.context["^INDEX"]
    seen: list[Any] = []
    for context in ({}, {"^GSPC": etf}, {"INDA": etf, "^GSPC": etf, "^VIX": etf, "^NSEI": index}):
        panel = build_panel(replace(market, context=context))
        odds = member_odds({"last": [Reader("return_1")]}, panel, slice(300, 400))
        assert odds.conditions.shape == (2, 100, len(odds.condition_names))
        seen.append(odds.condition_names)
    assert seen == [REGIME_FEATURES, (*REGIME_FEATURES, "^GSPC since_close"), (*REGIME_FEATURES, *CONTEXT_FEATURES)]
