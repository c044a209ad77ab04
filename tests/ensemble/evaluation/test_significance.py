"""Tests of skill equal statsmodels' and hold their level where stocks move together and labels overlap."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.metrics import log_loss
from statsmodels.stats.sandwich_covariance import S_hac_simple

from ensemble.evaluation.scored import Scored
from ensemble.evaluation.significance import (
    diebold_mariano,
    pesaran_timmermann,
    session_losses,
    superior_predictive_ability,
)
from tests.ensemble.evaluation.conftest import MakeScored


@pytest.mark.parametrize("horizon", [1, 5])
def test_sides_are_tested_with_statsmodels_variance_of_session_sums(make_scored: MakeScored, horizon: int) -> None:
    scored = make_scored(0.2, sessions=150, symbols=3, together=0.4, horizon=horizon)
    side, outcome = (scored.probability > 0.5).astype(float), scored.outcome
    sums = ((side - side.mean()) * (outcome - outcome.mean())).sum(axis=0)
    variance = float(np.squeeze(S_hac_simple(sums[:, None], nlags=2 * (horizon - 1))))
    found = pesaran_timmermann(scored)
    assert found.statistic == pytest.approx(sums.sum() / np.sqrt(variance), rel=1e-9)
    slope = stats.linregress(side.ravel(), outcome.ravel()).slope
    assert found.advantage == pytest.approx(slope, abs=1e-12)


@pytest.mark.parametrize(("drift", "factor"), [(0.0, 0.01), (0.2, 0.08)])
def test_independent_forecasts_have_the_statistic_of_1992(make_scored: MakeScored, drift: float, factor: float) -> None:
    scored = make_scored(0.1, sessions=3000, drift=drift)
    probability, outcome = scored.flat()
    up, n = probability > 0.5, len(outcome)
    py, px, hit = outcome.mean(), up.mean(), (up == (outcome > 0.5)).mean()
    star = py * px + (1 - py) * (1 - px)
    variance_star = (
        (2 * py - 1) ** 2 * px * (1 - px) / n
        + (2 * px - 1) ** 2 * py * (1 - py) / n
        + 4 * py * px * (1 - py) * (1 - px) / n**2
    )
    statistic = (hit - star) / np.sqrt(star * (1 - star) / n - variance_star)
    assert pesaran_timmermann(scored).statistic == pytest.approx(statistic, rel=factor)


@pytest.mark.parametrize(("symbols", "together", "horizon"), [(1, 0.0, 1), (8, 0.7, 1), (3, 0.5, 10)])
def test_sides_without_skill_are_claimed_in_about_one_case_in_twenty(
    make_scored: MakeScored, symbols: int, together: float, horizon: int
) -> None:
    claims = sum(
        pesaran_timmermann(
            make_scored(sessions=400, symbols=symbols, together=together, horizon=horizon, drift=0.3, seed=seed)
        ).p_value
        < 0.05
        for seed in range(300)
    )
    assert 0.02 <= claims / 300 <= 0.10


@pytest.mark.parametrize("side", [0.2, 0.5, 0.8])
def test_a_constant_side_tells_nothing(make_scored: MakeScored, side: float) -> None:
    scored = make_scored(drift=0.5)
    found = pesaran_timmermann(scored.saying(np.full(scored.outcome.shape, side)))
    assert np.isnan(found.advantage)
    assert found.p_value == 1.0


def test_sides_that_are_always_right_are_certain_to_be_no_luck(make_scored: MakeScored) -> None:
    scored = make_scored(sessions=100)
    found = pesaran_timmermann(scored.saying(scored.outcome))
    assert found.advantage == pytest.approx(1.0)
    assert found.p_value < 1e-12


def test_two_right_sides_prove_nothing() -> None:
    sessions = pd.DatetimeIndex(["2020-01-01", "2020-01-02"])
    right = np.array([[0.9, 0.1]])
    assert pesaran_timmermann(Scored("gap", sessions, ("A",), right, np.round(right), 1)).p_value > 0.05


def test_losses_are_compared_where_both_spoke(make_scored: MakeScored) -> None:
    scored = make_scored(0.4, sessions=300, symbols=2)
    other = np.full(scored.outcome.shape, 0.5)
    other[:, :100] = np.nan
    found = diebold_mariano(scored, other)
    known = scored.outcome[:, 100:].ravel(), scored.probability[:, 100:].ravel()
    assert found.sessions == 200
    assert (found.loss, found.incumbent_loss) == pytest.approx((log_loss(*known), np.log(2)), abs=1e-12)
    assert found.p_value < 0.05
    assert diebold_mariano(scored.saying(other), scored.probability).p_value > 0.95


def test_a_session_s_loss_is_the_mean_over_its_stocks(make_scored: MakeScored) -> None:
    scored = make_scored(0.4, sessions=10, symbols=3)
    scored.outcome[:2, 4], scored.outcome[:, 7] = np.nan, np.nan
    losses = session_losses(scored)
    assert losses[0] == pytest.approx(log_loss(scored.outcome[:, 0], scored.probability[:, 0], labels=[0, 1]))
    assert losses[4] == pytest.approx(log_loss(scored.outcome[2:, 4], scored.probability[2:, 4], labels=[0, 1]))
    assert np.isnan(losses[7])


def test_the_best_of_many_is_named_and_proven_where_it_is_better(make_scored: MakeScored) -> None:
    scored = make_scored(0.5, sessions=300)
    random = np.random.default_rng(0)
    noise = {f"noise {place}": random.uniform(0.4, 0.6, scored.outcome.shape) for place in range(10)}
    tried = {name: session_losses(scored.saying(said)) for name, said in noise.items()}
    benchmark = session_losses(scored.saying(np.full(scored.outcome.shape, 0.5)))
    known = superior_predictive_ability(tried | {"knows": session_losses(scored)}, benchmark, block=1, draws=500)
    assert (known.best, known.tried) == ("knows", 11)
    assert known.p_value < 0.01
    assert superior_predictive_ability(tried, benchmark, block=1, draws=500).p_value > 0.05


def test_nothing_tried_proves_nothing() -> None:
    found = superior_predictive_ability({}, np.ones(50), block=1)
    assert (found.best, found.p_value, found.tried) == ("", 1.0, 0)
