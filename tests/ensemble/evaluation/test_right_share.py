"""A number stands beside what a constant would have got, and inside an interval that holds."""

import numpy as np
import pandas as pd
from numpy.testing import assert_allclose

from ensemble.evaluation.right_share import LabelScore, score_labels
from ensemble.trading.limits import RiskLimits


def score_all(frame: pd.DataFrame) -> tuple[LabelScore, ...]:
    return score_labels(frame, RiskLimits())


def scored(probability: np.ndarray, outcome: np.ndarray, symbols: int = 1, label: str = "gap") -> pd.DataFrame:
    sessions = np.repeat(pd.date_range("2020-01-01", periods=len(probability) // symbols, freq="B"), symbols)
    return pd.DataFrame({"session": sessions, "label": label, "probability": probability, "outcome": outcome})


def test_the_model_that_always_says_up_is_no_better_than_the_constant() -> None:
    """The inspiring document's best model: 16 of 28, which is what always saying up gets."""
    (score,) = score_all(scored(np.full(28, 0.6), np.array([1.0] * 16 + [0.0] * 12)))
    assert_allclose([score.right_pct, score.constant_pct], 100 * 16 / 28)
    assert score.right_from_pct < 50 < score.right_to_pct
    assert score.log_loss > score.base_log_loss


def test_outcomes_not_known_do_not_count() -> None:
    (score,) = score_all(scored(np.array([0.9, 0.1, 0.9]), np.array([1.0, 0.0, np.nan])))
    assert (score.forecasts, score.right_pct) == (2, 100.0)


def test_the_interval_holds_its_95_percent_when_stocks_move_together() -> None:
    random = np.random.default_rng(0)
    held = 0
    for _ in range(300):
        together = np.repeat(random.random(120) < 0.5, 5)
        outcome = np.where(random.random(600) < 0.8, together, random.random(600) < 0.5).astype(np.float64)
        (score,) = score_all(scored(np.full(600, 0.6), outcome, symbols=5))
        held += score.right_from_pct <= 50 <= score.right_to_pct
    assert held / 300 > 0.9


def test_the_interval_holds_when_labels_overlap() -> None:
    random = np.random.default_rng(1)
    held = 0
    for _ in range(300):
        moves = np.convolve(random.normal(size=409), np.ones(10), "valid")
        outcome = (moves > 0).astype(np.float64)
        (score,) = score_all(scored(np.full(400, 0.6), outcome, label="barrier"))
        held += score.right_from_pct <= 50 <= score.right_to_pct
    assert held / 300 > 0.9  # half of that without the overlap


def test_no_outcomes_give_no_score() -> None:
    assert score_all(scored(np.array([0.6]), np.array([np.nan]))) == ()
