"""How many rows tell as much as one: one where all are independent, all that share one fate where they do."""

import numpy as np
import pytest

from ensemble.long_run import rows_for_one


def test_independent_rows_count_each() -> None:
    errors = np.random.default_rng(0).normal(size=(5, 2000))
    assert rows_for_one(errors, lags=0) == pytest.approx(1.0, abs=0.1)


def test_symbols_that_move_as_one_count_once_a_session() -> None:
    errors = np.tile(np.random.default_rng(1).normal(size=1000), (5, 1))
    assert rows_for_one(errors, lags=0) == pytest.approx(5.0)


@pytest.mark.parametrize("correlation", [0.2, 0.5])
def test_symbols_that_move_together_count_as_kish_s_formula_says(correlation: float) -> None:
    random = np.random.default_rng(2)
    shared, own = random.normal(size=20_000), random.normal(size=(7, 20_000))
    errors = np.sqrt(correlation) * shared + np.sqrt(1 - correlation) * own
    assert rows_for_one(errors, lags=0) == pytest.approx(1 + 6 * correlation, rel=0.05)


def test_overlapping_labels_count_for_less() -> None:
    shocks = np.random.default_rng(3).normal(size=5009)
    errors = np.convolve(shocks, np.ones(10), "valid")[None]  # each shares nine tenths with the next
    assert 5.0 < rows_for_one(errors, lags=9) < 10.0


def test_unknown_rows_change_nothing() -> None:
    errors = np.random.default_rng(4).normal(size=(3, 300))
    wider = np.concatenate([errors, np.full((3, 50), np.nan)], axis=1)
    assert rows_for_one(wider, lags=2) == pytest.approx(rows_for_one(errors, lags=2))


def test_errors_that_never_vary_count_each() -> None:
    assert rows_for_one(np.full((2, 50), 0.5), lags=3) == 1.0
