"""A month's models learn from what was known before its first decision, and from nothing else."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal

from ensemble.features.matrix import Market, build_panel
from ensemble.labels import LABELS
from ensemble.panel import Panel
from ensemble.trading.limits import RiskLimits
from ensemble.windows import Fold, WalkForward, WindowError, months_before, training_window

MONTH = "2016-07"
PLAN = WalkForward(window_years=1, min_sessions=120)
QUARTERLY = WalkForward(window_years=1, min_sessions=120, retrain="quarterly")


@pytest.fixture(scope="module")
def panel(make_market: Callable[..., Market]) -> Panel:
    return build_panel(make_market())


def test_a_fold_tests_one_month_and_trains_on_the_years_before_it(panel: Panel) -> None:
    fold = PLAN.fold(panel.sessions, MONTH)
    tested, trained = panel.sessions[fold.test], panel.sessions[fold.train]
    assert {f"{session:%Y-%m}" for session in tested} == {MONTH}
    assert trained[0] == pd.Timestamp("2015-07-01")
    assert trained[-1] == tested[0] - pd.offsets.BDay(1)


def test_labels_that_end_in_the_tested_month_are_purged_by_their_longest_horizon(panel: Panel) -> None:
    fold = PLAN.fold(panel.sessions, MONTH)
    window = training_window(panel, fold, RiskLimits(max_holding_sessions=10))
    known = np.isfinite(window.labels[0]).sum(axis=0)
    rows = fold.train.stop - fold.train.start
    assert known[LABELS.index("gap")] == rows
    assert known[LABELS.index("barrier")] == rows - 9
    assert window.embargo_rows == 9


def test_what_happens_in_the_tested_month_changes_nothing_in_the_window(
    make_market: Callable[..., Market],
) -> None:
    panel = build_panel(make_market())
    fold = PLAN.fold(panel.sessions, MONTH)
    assert_nothing_is_learnt_of(make_market(), panel, fold, since=fold.test.start)


def test_too_short_a_history_is_refused_with_the_setting_to_change(panel: Panel) -> None:
    with pytest.raises(WindowError, match=r"ensemble\.min_sessions asks for 500"):
        WalkForward(window_years=1, min_sessions=500).fold(panel.sessions, MONTH)


def test_a_month_without_sessions_is_refused(panel: Panel) -> None:
    with pytest.raises(WindowError, match="2031-01 has no session"):
        PLAN.fold(panel.sessions, "2031-01")


def test_months_before_cross_the_year() -> None:
    assert months_before("2021-02", 3) == ("2020-11", "2020-12", "2021-01")


@pytest.mark.parametrize(
    ("month", "serving"),
    [("2016-01", "2016-01"), ("2016-03", "2016-01"), ("2016-04", "2016-04"), ("2016-12", "2016-10")],
)
def test_a_quarter_is_served_by_the_model_of_its_first_month(month: str, serving: str) -> None:
    assert QUARTERLY.serving(month) == serving
    assert PLAN.serving(month) == month


def test_the_months_of_a_quarter_learn_from_one_window_and_test_one_month_each(panel: Panel) -> None:
    first, second, third = (QUARTERLY.fold(panel.sessions, month) for month in ("2016-04", "2016-05", "2016-06"))
    assert first == PLAN.fold(panel.sessions, "2016-04")
    assert first.train == second.train == third.train
    assert [one.test for one in (second, third)] == [
        PLAN.fold(panel.sessions, month).test for month in ("2016-05", "2016-06")
    ]


@pytest.mark.parametrize("embargo", [1, 15, 40])
def test_nothing_of_the_embargo_is_learnt_neither_its_rows_nor_labels_that_reach_into_it(
    make_market: Callable[..., Market], panel: Panel, embargo: int
) -> None:
    plan = WalkForward(window_years=1, min_sessions=120, embargo_sessions=embargo)
    fold, without = plan.fold(panel.sessions, MONTH), PLAN.fold(panel.sessions, MONTH)
    assert fold.train == slice(without.train.start, without.test.start - embargo)
    assert fold.test == without.test
    assert_nothing_is_learnt_of(make_market(), panel, fold, since=fold.train.stop)


def assert_nothing_is_learnt_of(market: Market, panel: Panel, fold: Fold, *, since: int) -> None:
    """The fold's window stays as `panel` has it though all bars from row `since` on are others."""
    for bars in market.bars.values():
        bars.iloc[since:] *= np.linspace(0.5, 2, len(bars) - since)[:, None]
    changed = training_window(build_panel(market), fold, RiskLimits())
    window = training_window(panel, fold, RiskLimits())
    assert_array_equal(changed.values, window.values)
    assert_array_equal(changed.labels, window.labels)


def test_sessions_of_the_embargo_do_not_count_as_learnt_from(panel: Panel) -> None:
    sessions = panel.sessions[panel.sessions < pd.Timestamp("2016-08-01")]
    enough = WalkForward(window_years=1, min_sessions=240).fold(sessions, MONTH).train
    assert enough.stop - enough.start < 240 + 30
    with pytest.raises(
        WindowError, match=r"sessions precede the model of 2016-07; ensemble\.min_sessions asks for 240"
    ):
        WalkForward(window_years=1, min_sessions=240, embargo_sessions=30).fold(sessions, MONTH)
