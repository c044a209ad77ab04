"""The quality table counts what it says it counts."""

import numpy as np
import pandas as pd
import pytest

from ensemble.evaluation.scored import Scored
from tests.bench.quality import Speakers, added, loss


def speakers(strength: float = 1.0, sessions: int = 800) -> Speakers:
    random = np.random.default_rng(0)
    known = random.normal(size=(3, sessions))
    outcome = (random.random((3, sessions)) < 1 / (1 + np.exp(-strength * known))).astype(float)
    odds = {"knows": strength * known, "guesses": random.normal(size=(3, sessions)) * 0.3}
    said = {name: 1 / (1 + np.exp(-one)) for name, one in odds.items()}
    dates = pd.bdate_range("2012-01-02", periods=sessions)
    scored = Scored("gap", dates, ("A", "B", "C"), said["knows"], outcome, horizon=1)
    return Speakers(scored, said, ("knows", "guesses"))


def test_the_log_loss_is_the_mean_over_sessions() -> None:
    scored = speakers().of("knows")
    happened = np.where(scored.outcome > 0.5, scored.probability, 1 - scored.probability)
    assert loss(scored)[0] == pytest.approx(float(-np.log(happened).mean()), abs=1e-12)


def test_what_knows_adds_and_what_guesses_does_not() -> None:
    market = speakers()
    assert added(market, "knows") < 0.001
    assert added(market, "guesses") > 0.5


def test_one_symbol_is_taken_with_all_that_was_said_of_it() -> None:
    market = speakers()
    alone = market.only("B")
    assert alone.scored.symbols == ("B",)
    np.testing.assert_array_equal(alone.said["guesses"], market.said["guesses"][1:2])
    np.testing.assert_array_equal(alone.of("knows").outcome, market.scored.outcome[1:2])
