"""The table of features compares with and without, and looks no further than it is told."""

from dataclasses import replace

import numpy as np
import pytest

from ensemble.evaluation.roc_area import fold_auc
from ensemble.evaluation.synthetic import SyntheticOptions, simulate_market
from ensemble.features.matrix import build_panel
from ensemble.labels import LABELS
from ensemble.members.specs import LogitSpec
from ensemble.panel import Panel
from tests.bench.features import cut, print_difference, walk, without
from tests.bench.synthetic import MEAN, Plan

QUICK = Plan((LogitSpec(),), step_sessions=200)
FIRST, LAST = "2020-01-01", "2021-06-30"


@pytest.fixture(scope="module")
def panel() -> Panel:
    return build_panel(simulate_market(SyntheticOptions(auc=0.75, years=4, symbols=2, seed=5)).market())


def test_without_them_no_feature_of_the_name_is_left(panel: Panel) -> None:
    less = without(panel, "expected_")
    assert len(panel.features) - len(less.features) == 6
    assert less.values.shape[2] == len(less.features)
    with pytest.raises(ValueError, match='no feature begins with "unheard"'):
        without(panel, "unheard")


def test_a_feature_that_knows_the_answer_is_worth_all_there_is(panel: Panel) -> None:
    answer = np.nan_to_num(panel.labels[:, :, LABELS.index("gap")])[..., None] + 1
    told = replace(panel, features=(*panel.features, "told"), values=np.concatenate([panel.values, answer], axis=2))
    areas = [fold_auc(walk(one, FIRST, QUICK)[MEAN]["gap"]).value for one in (panel, told)]
    assert areas[0] + 0.05 < areas[1]


def test_what_comes_after_the_last_session_changes_nothing(panel: Panel) -> None:
    stop = int(panel.sessions.searchsorted(np.datetime64(LAST), side="right"))
    labels, values = panel.labels.copy(), panel.values.copy()
    labels[:, stop:] = 1 - labels[:, stop:]
    values[:, stop:] = 0
    kept, changed = (
        walk(cut(one, LAST), FIRST, QUICK)[MEAN] for one in (panel, replace(panel, labels=labels, values=values))
    )
    for label in LABELS:
        np.testing.assert_array_equal(kept[label].probability, changed[label].probability)
    assert np.isnan(kept["barrier"].outcome[:, -9:]).all()


def test_the_table_has_two_rows_a_speaker(panel: Panel, capsys: pytest.CaptureFixture[str]) -> None:
    print_difference(panel, "expected_", FIRST, QUICK)
    rows = capsys.readouterr().out.splitlines()[2:]
    assert [row.split(" | ")[0] for row in rows] == ["| logit without", "| logit", f"| {MEAN} without", f"| {MEAN}"]
