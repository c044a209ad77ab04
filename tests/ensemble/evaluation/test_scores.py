"""Scores equal scikit-learn's; their intervals hold where stocks move together and labels overlap."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy import stats
from sklearn import metrics

from ensemble.evaluation.estimate import from_draws
from ensemble.evaluation.placement import auc
from ensemble.evaluation.scored import Scored
from ensemble.evaluation.scores import effective_forecasts, log_losses, score
from ensemble.evaluation.sides import count_sides
from tests.ensemble.evaluation.conftest import MakeScored


def test_every_score_equals_scikit_learn_s(make_scored: MakeScored) -> None:
    scored = make_scored(0.4, sessions=200, symbols=3, drift=0.2)
    probability, outcome = scored.flat()
    said, found = probability > 0.5, score(scored, draws=20)
    expected = {
        "accuracy": metrics.accuracy_score(outcome, said),
        "balanced_accuracy": metrics.balanced_accuracy_score(outcome, said),
        "precision": metrics.precision_score(outcome, said),
        "recall": metrics.recall_score(outcome, said),
        "f1": metrics.f1_score(outcome, said),
        "mcc": metrics.matthews_corrcoef(outcome, said),
        "auc": metrics.roc_auc_score(outcome, probability),
        "log_loss": metrics.log_loss(outcome, probability),
        "brier": metrics.brier_score_loss(outcome, probability),
    }
    assert_allclose([getattr(found, name).value for name in expected], list(expected.values()), rtol=1e-9)
    assert (found.up_share, found.said_up_share) == pytest.approx((outcome.mean(), said.mean()))


def test_skill_is_what_is_saved_of_the_base_rate_s_loss_where_it_is_known(make_scored: MakeScored) -> None:
    scored = make_scored(0.4, sessions=200, symbols=2)
    base = np.full(scored.outcome.shape, 0.45)
    base[:, :50] = np.nan
    found = score(scored, base_rate=base, draws=20)
    outcome, said = scored.outcome[:, 50:].ravel(), scored.probability[:, 50:].ravel()
    losses = [metrics.log_loss(outcome, one) for one in (said, np.full(300, 0.45))]
    squares = [metrics.brier_score_loss(outcome, one) for one in (said, np.full(300, 0.45))]
    assert found.log_loss_skill.value == pytest.approx(1 - losses[0] / losses[1], abs=1e-12)
    assert found.brier_skill.value == pytest.approx(1 - squares[0] / squares[1], abs=1e-12)


def test_without_a_base_rate_there_is_no_skill(make_scored: MakeScored) -> None:
    assert np.isnan(score(make_scored(), draws=20).log_loss_skill.value)


def test_a_base_rate_has_no_skill_against_itself(make_scored: MakeScored) -> None:
    scored = make_scored()
    found = score(scored, base_rate=scored.probability, draws=20)
    assert (found.brier_skill.value, found.brier_skill.low, found.brier_skill.high) == (0, 0, 0)


@pytest.mark.parametrize(("symbols", "together", "horizon"), [(1, 0.0, 1), (5, 0.8, 1), (2, 0.5, 10)])
def test_intervals_hold_their_95_percent(make_scored: MakeScored, symbols: int, together: float, horizon: int) -> None:
    """Without skill the truth is one half."""
    held, cases = 0, 60
    for seed in range(cases):
        scored = make_scored(sessions=400, symbols=symbols, together=together, horizon=horizon, seed=seed)
        accuracy = score(scored, draws=100, seed=seed).accuracy
        held += accuracy.low <= 0.5 <= accuracy.high
    assert 0.86 <= held / cases <= 1.0


@pytest.mark.slow
@pytest.mark.parametrize(("symbols", "together", "horizon"), [(1, 0.0, 1), (5, 0.6, 1), (3, 0.5, 10)])
def test_every_score_s_interval_holds_its_truth(
    make_scored: MakeScored, symbols: int, together: float, horizon: int
) -> None:
    """About a minute on an idle core. The truth is the score of 400,000 independent forecasts.

    An interval that holds 95 % holds fewer than this in one of a thousand runs, one of 27 in one of forty.
    """
    whole = make_scored(0.2, 1000, 400, drift=0.1, seed=10**6).flat()
    sides = count_sides(*whole)
    truth = {
        name: getattr(sides, name) for name in ("accuracy", "balanced_accuracy", "precision", "recall", "f1", "mcc")
    }
    truth |= {"auc": auc(*whole), "log_loss": log_losses(*whole).mean(), "brier": ((whole[0] - whole[1]) ** 2).mean()}
    held = dict.fromkeys(truth, 0)
    cases = 400
    for seed in range(cases):
        scored = make_scored(0.2, 750, symbols, together=together, horizon=horizon, drift=0.1, seed=seed)
        found = score(scored, draws=300, seed=seed)
        for name in truth:
            held[name] += getattr(found, name).low <= truth[name] <= getattr(found, name).high
    least = stats.binom.ppf(0.001, cases, 0.95)
    assert {name: count for name, count in held.items() if count < least} == {}


def test_copies_of_a_stock_add_neither_forecasts_nor_certainty(make_scored: MakeScored) -> None:
    alone = make_scored(0.3, sessions=300)
    probability, outcome = (np.repeat(values, 5, axis=0) for values in (alone.probability, alone.outcome))
    panel = Scored("gap", alone.sessions, ("A", "B", "C", "D", "E"), probability, outcome, 1)
    assert effective_forecasts(panel) == pytest.approx(effective_forecasts(alone))
    assert score(panel).accuracy == score(alone).accuracy


def test_overlapping_labels_are_worth_less(make_scored: MakeScored) -> None:
    apart, overlapping = make_scored(sessions=4000), make_scored(sessions=4000, horizon=10)
    assert effective_forecasts(apart) == pytest.approx(4000, rel=0.05)
    assert 400 < effective_forecasts(overlapping) < 1000
    widths = [estimate.high - estimate.low for estimate in (score(apart).accuracy, score(overlapping).accuracy)]
    assert widths[1] > 1.5 * widths[0]


def test_a_constant_has_no_correlation_and_keeps_its_other_scores(make_scored: MakeScored) -> None:
    scored = make_scored(drift=0.2)
    found = score(scored.saying(np.full(scored.outcome.shape, 0.6)))
    assert np.isnan([found.mcc.value, found.mcc.low, found.mcc.high]).all()
    assert (found.recall.low, found.recall.high, found.auc.value, found.auc.p_value) == (1, 1, 0.5, 1)
    assert found.precision == found.accuracy


def test_certainty_that_fails_costs_much_and_not_everything(make_scored: MakeScored) -> None:
    scored = make_scored()
    found = score(scored.saying(1 - scored.outcome), draws=20)
    assert found.log_loss.value == pytest.approx(-np.log(1e-15))


def test_forecasts_without_an_outcome_change_nothing(make_scored: MakeScored) -> None:
    scored = make_scored(0.3, sessions=100, symbols=2)
    later = make_scored(0.3, sessions=120, symbols=2)
    probability, outcome = np.full((2, 2, 120), np.nan)
    probability[:], outcome[:, :100] = later.probability, scored.outcome
    probability[:, :100] = scored.probability
    longer = Scored("gap", later.sessions, scored.symbols, probability, outcome, 1)
    bases = (np.full(one.outcome.shape, 0.4) for one in (longer, scored))
    assert score(longer, base_rate=next(bases)) == score(scored, base_rate=next(bases))


def test_no_known_outcome_is_refused(make_scored: MakeScored) -> None:
    scored = make_scored()
    with pytest.raises(ValueError, match="no outcome of gap is known"):
        score(scored.where(np.zeros(scored.outcome.shape, dtype=bool)))


def test_a_single_forecast_is_scored() -> None:
    one = Scored("gap", pd.DatetimeIndex(["2020-01-01"]), ("A",), np.array([[0.7]]), np.array([[1.0]]), 1)
    found = score(one, draws=10)
    assert (found.forecasts, found.effective_forecasts, found.accuracy.value) == (1, 1.0, 1.0)


def test_undefined_draws_are_left_out_of_the_interval() -> None:
    found = from_draws(0.5, np.array([np.nan, *np.linspace(0, 1, 1001)]))
    assert (found.low, found.high) == pytest.approx((0.025, 0.975))
    assert np.isnan(from_draws(np.nan, np.ones(3)).low)
