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
from ensemble.windows import WindowError, months_before, plan_fold, training_window

MONTH = "2016-07"


@pytest.fixture(scope="module")
def panel(make_market: Callable[..., Market]) -> Panel:
    return build_panel(make_market())


def test_a_fold_tests_one_month_and_trains_on_the_years_before_it(panel: Panel) -> None:
    fold = plan_fold(panel.sessions, MONTH, window_years=1, min_sessions=120)
    tested, trained = panel.sessions[fold.test], panel.sessions[fold.train]
    assert {f"{session:%Y-%m}" for session in tested} == {MONTH}
    assert trained[0] == pd.Timestamp("2015-07-01")
    assert trained[-1] == tested[0] - pd.offsets.BDay(1)


def test_labels_that_end_in_the_tested_month_are_purged_by_their_longest_horizon(panel: Panel) -> None:
    fold = plan_fold(panel.sessions, MONTH, window_years=1, min_sessions=120)
    window = training_window(panel, fold, RiskLimits(max_holding_sessions=10))
    known = np.isfinite(window.labels[0]).sum(axis=0)
    rows = fold.train.stop - fold.train.start
    assert known[LABELS.index("gap")] == rows
    assert known[LABELS.index("barrier")] == rows - 9
    assert window.embargo_rows == 9


def test_what_happens_in_the_tested_month_changes_nothing_in_the_window(
    make_market: Callable[..., Market],
) -> None:
    market = make_market()
    panel = build_panel(market)
    fold = plan_fold(panel.sessions, MONTH, window_years=1, min_sessions=120)
    for bars in market.bars.values():
        bars.iloc[fold.test.start :] *= np.linspace(0.5, 2, len(bars) - fold.test.start)[:, None]
    changed = training_window(build_panel(market), fold, RiskLimits())
    window = training_window(panel, fold, RiskLimits())
    assert_array_equal(changed.values, window.values)
    assert_array_equal(changed.labels, window.labels)
    assert changed.digest() == window.digest()


def test_too_short_a_history_is_refused_with_the_setting_to_change(panel: Panel) -> None:
    with pytest.raises(WindowError, match=r"ensemble\.min_sessions asks for 500"):
        plan_fold(panel.sessions, MONTH, window_years=1, min_sessions=500)


def test_a_month_without_sessions_is_refused(panel: Panel) -> None:
    with pytest.raises(WindowError, match="2031-01 has no session"):
        plan_fold(panel.sessions, "2031-01", window_years=1, min_sessions=120)


def test_months_before_cross_the_year() -> None:
    assert months_before("2021-02", 3) == ("2020-11", "2020-12", "2021-01")
