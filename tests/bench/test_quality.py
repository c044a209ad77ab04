"""The quality table counts what it says it counts."""

import numpy as np
import pandas as pd
import pytest

from tests.bench.quality import BASE, Said, added, auc, base_rate, loss


def said(strength: float, sessions: int = 800, seed: int = 0) -> Said:
    random = np.random.default_rng(seed)
    known = random.normal(size=(3, sessions))
    outcomes = (random.random((3, sessions)) < 1 / (1 + np.exp(-strength * known))).astype(float)
    odds = {"knows": strength * known, "guesses": random.normal(size=(3, sessions)) * 0.3}
    return Said(pd.bdate_range("2012-01-02", periods=sessions), ("A", "B", "C"), odds, outcomes, horizon=1)


def test_a_guess_has_an_area_of_one_half_and_knowledge_more() -> None:
    market = said(1.0)
    area, half = auc(market, "guesses", "M")
    assert abs(area - 0.5) < 2 * half
    assert auc(market, "knows", "M")[0] > 0.65


def test_the_log_loss_is_the_mean_over_sessions() -> None:
    market = said(1.0)
    probability = 1 / (1 + np.exp(-market.log_odds["knows"]))
    happened = np.where(market.outcomes > 0.5, probability, 1 - probability)
    assert loss(market, "knows")[0] == pytest.approx(float(-np.log(happened).mean()), abs=1e-12)


def test_what_knows_adds_and_what_guesses_does_not() -> None:
    market = said(1.0)
    assert added(market, "knows", ["knows", "guesses"]) < 0.001
    assert added(market, "guesses", ["knows", "guesses"]) > 0.5


def test_the_base_rate_knows_nothing_of_its_own_session_or_later() -> None:
    market = said(1.0)
    before = base_rate(market).log_odds[BASE]
    market.outcomes[:, 500:] = 1.0
    after = base_rate(market).log_odds[BASE]
    assert np.array_equal(before[:, :501], after[:, :501])
    assert not np.array_equal(before[:, 501:], after[:, 501:])
