"""What was promised stands beside what came of it, and beside a constant."""

import numpy as np
import pytest
from sklearn.metrics import log_loss

from ensemble.evaluation.promise import promise
from tests.ensemble.evaluation.conftest import MakeScored


def test_the_figures_are_those_of_another_library(make_scored: MakeScored) -> None:
    scored = make_scored(0.4, sessions=120, symbols=2)
    probability, outcome = scored.flat()
    kept = promise(scored)
    assert kept is not None
    assert (kept.forecasts, kept.sessions) == (240, 120)
    assert kept.promised == pytest.approx(np.maximum(probability, 1 - probability).mean())
    assert kept.right.value == pytest.approx(((probability > 0.5) == (outcome > 0.5)).mean())
    constant = np.full(len(outcome), outcome.mean())
    assert kept.commoner_side == max(constant[0], 1 - constant[0])
    assert kept.gain.value == pytest.approx(log_loss(outcome, constant) - log_loss(outcome, probability))


def test_whoever_says_the_share_that_came_true_gains_nothing(make_scored: MakeScored) -> None:
    scored = make_scored(0.4, sessions=60)
    kept = promise(scored.saying(np.full(scored.outcome.shape, scored.outcome.mean())))
    assert kept is not None
    assert (kept.gain.value, kept.gain.low, kept.gain.high) == pytest.approx((0, 0, 0), abs=1e-12)


def test_the_interval_of_the_gain_of_one_stock_without_overlap_is_the_usual_one(make_scored: MakeScored) -> None:
    scored = make_scored(0.4, sessions=100)
    probability, outcome = scored.flat()
    said = np.where(outcome > 0.5, probability, 1 - probability)
    base = np.where(outcome > 0.5, outcome.mean(), 1 - outcome.mean())
    gains = np.log(said) - np.log(base)
    kept = promise(scored)
    assert kept is not None
    reach = 1.959963984540054 * gains.std(ddof=1) / 10
    assert (kept.gain.low, kept.gain.high) == pytest.approx((gains.mean() - reach, gains.mean() + reach))


def test_of_one_session_the_gain_may_be_anything_and_of_none_there_is_no_promise(make_scored: MakeScored) -> None:
    scored = make_scored(0.4, sessions=30)
    first = np.arange(30)[None] == 0
    one = promise(scored.where(first))
    assert one is not None
    assert (one.gain.low, one.gain.high) == (-np.inf, np.inf)
    assert promise(scored.where(first & False)) is None
