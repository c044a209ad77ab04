import numpy as np
import pytest

from ensemble.evaluation.deflation import Moments, minimum_track_record, probabilistic_sharpe
from ensemble.evaluation.sharpe_odds import sharpe_odds


@pytest.mark.parametrize(("a_year", "published_years"), [(252, 2.73), (52, 2.83), (12, 3.24)])
def test_the_track_record_is_that_of_the_papers_example(a_year: int, published_years: float) -> None:
    # Bailey and Lopez de Prado (2012): a ratio of 2 a year, to be above 1 with 95 %, normal returns.
    said = Moments(2 / np.sqrt(a_year), 0.0, 3.0, 1000)
    found = minimum_track_record(said, 1 / np.sqrt(a_year))
    assert found is not None
    assert found / a_year == pytest.approx(published_years, abs=5e-3)


def test_after_the_track_record_the_ratio_is_95_percent_sure() -> None:
    said = Moments(0.05, -1.0, 9.0, 0)
    needed = minimum_track_record(said, 0.01)
    assert needed is not None
    assert probabilistic_sharpe(Moments(0.05, -1.0, 9.0, needed), 0.01) == pytest.approx(0.95)


def test_no_record_is_long_enough_for_a_ratio_that_is_not_above_the_benchmark() -> None:
    assert minimum_track_record(Moments(0.05, 0.0, 3.0, 100), 0.05) is None


def test_more_trials_and_a_higher_risk_free_rate_make_it_less_likely() -> None:
    returns = np.random.default_rng(1).normal(0.0006, 0.01, 1000)
    alone, one_of_many, above_cash = (
        sharpe_odds(returns, trials=trials, risk_free_pct=rate) for trials, rate in ((1, 0.0), (50, 0.0), (1, 5.0))
    )
    assert alone is not None
    assert one_of_many is not None
    assert above_cash is not None
    assert alone.deflated == alone.probability == one_of_many.probability
    assert one_of_many.deflated < alone.deflated
    assert one_of_many.benchmark > alone.benchmark == 0
    assert above_cash.probability < alone.probability
    assert (one_of_many.deflated_track_record_sessions or np.inf) > (alone.track_record_sessions or np.inf)


def test_who_looks_at_many_accounts_without_skill_is_seen_through() -> None:
    """At the 5 % level the best of twenty looks real alone most times, deflated seldom."""
    alone = deflated = 0
    for seed in range(60):
        tried = np.random.default_rng(seed).normal(0, 0.01, (500, 20))
        best = tried[:, (tried.mean(axis=0) / tried.std(axis=0)).argmax()]
        found = sharpe_odds(best, trials=20, risk_free_pct=0)
        assert found is not None
        alone += found.probability > 0.95
        deflated += found.deflated > 0.95
    assert alone > 30
    assert deflated <= 6


@pytest.mark.parametrize("returns", [np.zeros(100), np.full(50, 0.01), np.array([0.1, -0.1]), np.zeros(0)])
def test_where_nothing_moves_there_is_nothing_to_say(returns: np.ndarray) -> None:
    assert sharpe_odds(returns, trials=3, risk_free_pct=0) is None
