"""The published figures give away how few rows they come from, and what they are worth."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn.metrics import f1_score, roc_auc_score

from ensemble.evaluation.protocol import explain
from ensemble.evaluation.published_table import Confusion, PublishedRow, tables_that_fit
from ensemble.evaluation.small_sample import (
    auc_interval,
    best_of,
    coin_has_f1,
    coin_is_right,
    f1_interval,
    noise_has_auc,
    share_interval,
)


def test_the_published_table_comes_from_28_rows_of_which_16_were_up() -> None:
    found = explain()
    assert (found.rows, found.ups) == (28, 16)
    assert found.others == ((56, 32), (84, 48))
    assert [line.table for line in found.lines] == [
        Confusion(16, 12, 0, 0),
        Confusion(10, 7, 6, 5),
        Confusion(1, 2, 15, 10),
    ]


def test_its_best_model_is_named_as_the_constant_that_it_is() -> None:
    found = explain()
    assert [line.constant for line in found.lines] == ["always up", "", ""]
    assert found.always_up_f1 == pytest.approx(0.7273, abs=5e-5)
    assert found.always_up_accuracy == pytest.approx(0.5714, abs=5e-5)


def test_a_coin_does_as_well_in_three_cases_of_ten_and_the_best_of_three_in_two_of_three() -> None:
    best = explain().lines[0]
    assert best.coin_is_right == pytest.approx(0.2858, abs=1e-4)
    assert best.best_coin_is_right == pytest.approx(0.636, abs=1e-3)
    assert best.accuracy_interval[0] < 0.5 < best.accuracy_interval[1]
    assert best.auc_interval[0] < 0.5 < best.auc_interval[1]


def test_figures_that_no_table_gives_are_refused() -> None:
    with pytest.raises(ValueError, match="no table of up to 40 rows"):
        explain([PublishedRow("99.99", ".5", ".5")], max_rows=40)


def test_figures_that_several_tables_give_are_refused() -> None:
    with pytest.raises(ValueError, match="print more decimals"):
        explain([PublishedRow("53.57", ".5", "0")], max_rows=40)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 1), min_size=2, max_size=16).filter(lambda ups: 0 < sum(ups) < len(ups)), st.data())
def test_the_table_that_figures_were_rounded_from_is_among_those_that_fit(ups: list[int], data: st.DataObject) -> None:
    said = data.draw(st.lists(st.integers(0, 3), min_size=len(ups), max_size=len(ups)))
    called = [int(one >= 2) for one in said]
    right = sum(one == other for one, other in zip(called, ups, strict=True))
    line = PublishedRow(
        f"{100 * right / len(ups):.2f}",
        f"{roc_auc_score(ups, said):.4f}",
        f"{f1_score(ups, called, zero_division=0):.4f}",
    )
    both = sum(one and other for one, other in zip(called, ups, strict=True))
    mine = Confusion(both, sum(called) - both, sum(ups) - both, right - both)
    fits = tables_that_fit([line], max_rows=len(ups))
    assert any(fit.rows == len(ups) and fit.ups == sum(ups) and mine in fit.tables[0] for fit in fits)


@pytest.mark.parametrize(("ups", "downs"), [(1, 1), (1, 4), (3, 2), (4, 3)])
def test_the_chance_of_noise_is_the_share_of_all_orders(ups: int, downs: int) -> None:
    rows = range(ups + downs)
    orders = [[int(row in places) for row in rows] for places in combinations(rows, ups)]
    areas = np.array([roc_auc_score(order, rows) for order in orders])
    for pairs in range(2 * ups * downs + 1):
        auc = pairs / (2 * ups * downs)
        assert noise_has_auc(auc, ups, downs) == pytest.approx(np.mean(areas >= auc - 1e-9))


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 5), st.integers(1, 5), st.integers(0, 2**10 - 1))
def test_the_chance_of_an_f1_is_the_share_of_all_coins(ups: int, downs: int, coins: int) -> None:
    rows = np.array([1] * ups + [0] * downs)

    def counted(bits: int) -> Confusion:
        called = np.array([bool(bits >> place & 1) for place in range(ups + downs)])
        up = rows == 1
        return Confusion(
            int((called & up).sum()), int((called & ~up).sum()), int((~called & up).sum()), int((~called & ~up).sum())
        )

    every = 2 ** (ups + downs)
    wanted = counted(coins % every).f1()
    expected = sum(counted(bits).f1() >= wanted for bits in range(every)) / every
    assert coin_has_f1(wanted, ups, downs) == pytest.approx(expected)


def test_the_chance_of_a_coin_is_the_binomial_tests() -> None:
    for right in range(29):
        assert coin_is_right(right, 28) == pytest.approx(binomtest(right, 28, alternative="greater").pvalue)


@given(st.floats(0, 1), st.integers(1, 50))
def test_the_best_of_several_does_at_least_as_well_as_one(chance: float, tries: int) -> None:
    assert chance - 1e-12 <= best_of(chance, tries) <= min(tries * chance, 1) + 1e-12


def test_the_intervals_hold_what_they_are_about() -> None:
    table = Confusion(10, 7, 6, 5)
    low, high = f1_interval(table)
    assert low < float(table.f1()) < high
    assert share_interval(0, 0) == (0.0, 1.0)
    assert share_interval(15, 28)[0] < 15 / 28 < share_interval(15, 28)[1]


def test_the_interval_of_an_auc_is_hanleys_and_mcneils() -> None:
    """Their example: 51 abnormal and 58 normal images, area .893, standard error .032."""
    low, high = auc_interval(0.893, 51, 58)
    assert (high - low) / 2 / 1.96 == pytest.approx(0.032, abs=0.001)
    assert auc_interval(1.0, 3, 3) == (1.0, 1.0)


def test_a_model_that_calls_nothing_up_is_always_down() -> None:
    table = Confusion(0, 0, 3, 4)
    assert (table.constant, table.rows, table.ups, table.right) == ("always down", 7, 3, 4)
    assert table.f1() == 0
