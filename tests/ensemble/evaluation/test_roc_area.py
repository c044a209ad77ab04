"""The AUC equals scikit-learn's, its variance SciPy's and statsmodels'; it holds where stocks and labels overlap."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as np_st
from scipy import stats
from sklearn.metrics import roc_auc_score
from statsmodels.stats.nonparametric import rank_compare_2indep
from statsmodels.stats.sandwich_covariance import S_hac_simple

from ensemble.evaluation.placement import auc, placements
from ensemble.evaluation.roc_area import (
    compare_auc,
    compare_fold_auc,
    delong_variance,
    fold_auc,
    pooled_auc,
)
from tests.ensemble.evaluation.conftest import MakeScored

ROWS = st.integers(4, 60).flatmap(
    lambda n: st.tuples(
        np_st.arrays(np.float64, n, elements=st.integers(0, 6).map(lambda one: one / 6)),
        np_st.arrays(np.float64, n, elements=st.sampled_from([0.0, 1.0])),
    )
)


def _rows(count: int, seed: int, strength: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Rounded, so that there are ties."""
    random = np.random.default_rng(seed)
    outcome = (random.random(count) < 0.4).astype(np.float64)
    return np.round(random.normal(strength * outcome), 1), outcome


@settings(max_examples=50)
@given(ROWS)
def test_the_area_equals_scikit_learn_s_also_with_ties(rows: tuple[np.ndarray, np.ndarray]) -> None:
    probability, outcome = rows
    if len(np.unique(outcome)) == 2:
        assert auc(probability, outcome) == pytest.approx(roc_auc_score(outcome, probability), abs=1e-12)
    else:
        assert np.isnan(auc(probability, outcome))


@settings(max_examples=50)
@given(ROWS)
def test_placements_of_either_outcome_average_to_the_area(rows: tuple[np.ndarray, np.ndarray]) -> None:
    probability, outcome = rows
    if len(np.unique(outcome)) == 2:
        placed = placements(probability, outcome)
        for side in (outcome > 0.5, outcome < 0.5):
            assert placed[side].mean() == pytest.approx(auc(probability, outcome), abs=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_delong_s_variance_equals_scipy_s_and_statsmodels_(seed: int) -> None:
    probability, outcome = _rows(80, seed)
    up, down = probability[outcome > 0.5], probability[outcome < 0.5]
    error = np.sqrt(delong_variance(probability, outcome))
    brunner_munzel = stats.brunnermunzel(down, up, distribution="normal").statistic
    assert (auc(probability, outcome) - 0.5) / error == pytest.approx(brunner_munzel, rel=1e-9)
    theirs = rank_compare_2indep(up, down, use_t=False)
    assert theirs.prob1 == pytest.approx(auc(probability, outcome), abs=1e-9)
    assert np.sqrt(theirs.var / theirs.nobs) == pytest.approx(error, rel=1e-9)


def test_one_forecast_a_session_gives_delong_s_interval(make_scored: MakeScored) -> None:
    scored = make_scored(0.4, sessions=2000)
    error = np.sqrt(delong_variance(*scored.flat()))
    assert pooled_auc(scored).standard_error == pytest.approx(error, rel=2e-3)


def test_the_paired_comparison_is_delong_s_written_out_pair_by_pair(make_scored: MakeScored) -> None:
    scored, other = make_scored(0.4, sessions=60), make_scored(0.1, sessions=60, seed=9).probability
    up = scored.outcome[0] > 0.5
    m, n = up.sum(), (~up).sum()

    def above(said: np.ndarray) -> np.ndarray:
        ups, downs = said[up][:, None], said[~up][None, :]
        return np.asarray((ups > downs) + 0.5 * (ups == downs))

    difference = above(scored.probability[0]) - above(other[0])
    variance = difference.mean(axis=1).var(ddof=1) / m + difference.mean(axis=0).var(ddof=1) / n
    found = compare_auc(scored, other)
    assert found.difference == pytest.approx(difference.mean(), abs=1e-12)
    # Sessions are the clusters here: sums of squares over m, not m - 1, and n / (n - 1) over sessions.
    clustered = (difference.mean(axis=1).var() / m + difference.mean(axis=0).var() / n) * 60 / 59
    assert found.standard_error == pytest.approx(np.sqrt(clustered), rel=1e-9)
    assert found.standard_error == pytest.approx(np.sqrt(variance), rel=0.02)


@pytest.mark.parametrize(("symbols", "together", "horizon"), [(1, 0.0, 1), (6, 0.6, 1), (3, 0.5, 10)])
def test_without_skill_the_area_is_claimed_in_about_one_case_in_twenty(
    make_scored: MakeScored, symbols: int, together: float, horizon: int
) -> None:
    claims, areas, cases = np.zeros(2), [], 200
    for seed in range(cases):
        scored = make_scored(sessions=500, symbols=symbols, together=together, horizon=horizon, seed=seed)
        pooled, folded = pooled_auc(scored), fold_auc(scored)
        claims += pooled.p_value < 0.05, folded.p_value < 0.05
        areas.append(folded.value)
    least, most = stats.binom.ppf([0.001, 0.999], cases, 0.05)
    assert least <= claims.min()
    assert claims.max() <= most
    assert abs(np.mean(areas) - 0.5) < 3 * np.std(areas) / np.sqrt(cases)


def test_stocks_that_move_as_one_count_once(make_scored: MakeScored) -> None:
    alone = make_scored(0.3, sessions=300)
    copies = np.repeat(alone.probability, 5, axis=0), np.repeat(alone.outcome, 5, axis=0)
    panel = type(alone)("gap", alone.sessions, ("A", "B", "C", "D", "E"), *copies, 1)
    assert pooled_auc(panel).standard_error == pytest.approx(pooled_auc(alone).standard_error)


def test_the_fold_average_is_the_mean_of_the_months_areas(make_scored: MakeScored) -> None:
    scored = make_scored(0.3, sessions=250, symbols=3)
    month = scored.sessions.to_period("M")
    areas = [
        roc_auc_score(scored.outcome[:, month == one].ravel(), scored.probability[:, month == one].ravel())
        for one in month.unique()
    ]
    found = fold_auc(scored)
    interval = stats.t.interval(0.95, len(areas) - 1, loc=np.mean(areas), scale=stats.sem(areas))
    assert found.value == pytest.approx(np.mean(areas), abs=1e-12)
    assert (found.low, found.high) == pytest.approx(interval, abs=1e-12)
    assert found.p_value == pytest.approx(stats.ttest_1samp(areas, 0.5, alternative="greater").pvalue, rel=1e-9)
    assert found.folds == month.nunique()


def test_neighbouring_folds_share_what_overlapping_labels_share(make_scored: MakeScored) -> None:
    scored = make_scored(0.3, sessions=500, symbols=2, horizon=10)
    month = scored.sessions.to_period("M")
    areas = np.array([auc(*scored.where(np.tile(month == one, (2, 1))).flat()) for one in month.unique()])
    count, centred = len(areas), (areas - areas.mean())[:, None]
    variance = float(np.squeeze(S_hac_simple(centred, nlags=1))) / count
    assert fold_auc(scored).standard_error == pytest.approx(np.sqrt(variance / (count - 1)), rel=1e-9)


def test_a_single_symbol_is_folded_by_quarters(make_scored: MakeScored) -> None:
    scored = make_scored(0.3, sessions=250)
    assert fold_auc(scored).folds == scored.sessions.to_period("Q").nunique()
    assert fold_auc(scored, "M").folds == scored.sessions.to_period("M").nunique()


def test_folds_are_compared_in_pairs(make_scored: MakeScored) -> None:
    scored, other = make_scored(0.4, sessions=500), make_scored(0.1, sessions=500, seed=9).probability
    quarter = scored.sessions.to_period("Q")
    areas = [
        [roc_auc_score(scored.outcome[0, quarter == one], said[0, quarter == one]) for one in quarter.unique()]
        for said in (scored.probability, other)
    ]
    expected = stats.ttest_rel(*areas, alternative="greater")
    assert compare_fold_auc(scored, other).p_value == pytest.approx(expected.pvalue, rel=1e-9)


def test_forecasts_that_rank_by_past_outcomes_are_below_one_half_when_pooled_over_a_year() -> None:
    """Why the folds: the share of ups so far falls after each up, so within a short range it points backwards."""
    random, areas = np.random.default_rng(0), []
    for _ in range(200):
        outcome = (random.random(250) < 0.5).astype(np.float64)
        share = np.concatenate([[0.5], (outcome.cumsum() / np.arange(1, 251))[:-1]])
        areas.append(auc(share, outcome))
    assert np.mean(areas) < 0.5 - 3 * np.std(areas) / np.sqrt(200)


@pytest.mark.parametrize("outcome", [np.full((1, 40), 1.0), np.full((1, 40), np.nan)])
def test_outcomes_of_one_kind_or_none_tell_nothing(make_scored: MakeScored, outcome: np.ndarray) -> None:
    alone = make_scored(sessions=40)
    scored = type(alone)("gap", alone.sessions, alone.symbols, alone.probability, outcome, 1)
    for found in (pooled_auc(scored), fold_auc(scored)):
        assert np.isnan(found.value)
        assert found.p_value == 1.0
    for difference in (compare_auc(scored, scored.probability), compare_fold_auc(scored, scored.probability)):
        assert difference.p_value == 1.0


def test_sessions_with_nothing_said_change_nothing(make_scored: MakeScored) -> None:
    scored = make_scored(0.3, sessions=300, symbols=2)
    mask = np.broadcast_to(pd.DatetimeIndex(scored.sessions).year == 2015, scored.outcome.shape)
    year = int(mask[0].sum())
    cut = type(scored)(
        "gap", scored.sessions[:year], scored.symbols, scored.probability[:, :year], scored.outcome[:, :year], 1
    )
    assert pooled_auc(scored.where(mask)) == pooled_auc(cut)
    assert fold_auc(scored.where(mask)) == fold_auc(cut)
