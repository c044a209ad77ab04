"""The mean speaks until a learned combination has beaten it on later data."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from ensemble.labels import LABELS
from ensemble.stacking.combiner import Combiner, StackOptions, fit_combiner, load_combiner, who_speaks
from ensemble.stacking.history import ColumnMismatch, History, MemberOdds

DAYS = 21
GAP, BARRIER = LABELS.index("gap"), LABELS.index("barrier")
QUICK = StackOptions(train_months=8, gate_months=4)
MakeHistory = Callable[..., History]


@pytest.fixture(scope="module")
def overconfident(make_history: MakeHistory) -> History:
    """Members that claim three times what they know."""
    return make_history(truth=0.3, says=1.0)


@pytest.fixture(scope="module")
def corrected(overconfident: History) -> Combiner:
    """What was learned from `overconfident`."""
    return fit_combiner(overconfident, QUICK, seed=1)


def manifest(combiner: Combiner, combine: str = "auto") -> dict[str, object]:
    return {"combine": combine, "methods": combiner.methods(), "verdicts": combiner.verdicts()}


def test_honest_members_speak_through_their_mean(make_history: MakeHistory) -> None:
    combiner = fit_combiner(make_history(), QUICK, seed=1)
    assert set(combiner.methods().values()) == {"mean"}
    assert who_speaks(manifest(combiner)).startswith("gap: mean speaks (best challenger ")


def test_overconfident_members_are_corrected_and_the_verdict_says_why(corrected: Combiner) -> None:
    speaker = corrected.labels[GAP]
    assert speaker.method not in ("mean", "vote")
    verdict = speaker.verdicts[speaker.method]
    assert verdict.p_value < verdict.adjusted_p_value < 0.05
    assert verdict.loss < verdict.incumbent_loss
    assert corrected.verdicts()["gap"][speaker.method]["loss"] == pytest.approx(verdict.loss, abs=1e-6)
    assert f"gap: {speaker.method} speaks (log loss {verdict.loss:.4f}, the mean's" in who_speaks(manifest(corrected))
    assert 0.2 < speaker.voices.platt.slope < 0.5


@pytest.mark.parametrize("method", ["vote", "isotonic"])
def test_a_chosen_method_speaks_whatever_the_verdict(make_history: MakeHistory, method: str) -> None:
    options = StackOptions.model_validate({"combine": method, "train_months": 8, "gate_months": 1})
    combiner = fit_combiner(make_history(), options, seed=1)
    assert set(combiner.methods().values()) == {method}
    assert f"barrier: {method} speaks (as configured; " in who_speaks(manifest(combiner, method))


def test_a_stack_improves_on_the_mean_where_only_one_member_knows_anything(make_history: MakeHistory) -> None:
    past = make_history(truth=2.0)
    past.odds.log_odds[1] = np.random.default_rng(9).normal(0, 2, past.odds.log_odds[1].shape)
    assert fit_combiner(past, QUICK, seed=1).methods()["gap"] in ("ridge", "stack")


def test_labels_not_yet_known_change_nothing(overconfident: History, corrected: Combiner) -> None:
    other = replace(overconfident, labels=overconfident.labels.copy())
    other.labels[:, -9:, BARRIER] = 1 - other.labels[:, -9:, BARRIER]
    assert fit_combiner(other, QUICK, seed=1).files() == corrected.files()


def test_a_label_that_is_known_does_change_something(overconfident: History, corrected: Combiner) -> None:
    other = replace(overconfident, labels=overconfident.labels.copy())
    other.labels[:, -DAYS:, GAP] = 1 - other.labels[:, -DAYS:, GAP]
    assert fit_combiner(other, QUICK, seed=1).files() != corrected.files()


def test_without_history_the_mean_speaks_and_gives_no_interval(make_history: MakeHistory) -> None:
    past = make_history()
    empty = History(past.odds.rows(slice(0, 0)), past.sessions[:0], past.labels[:, :0], past.month[:0], past.ends)
    combiner = fit_combiner(empty, StackOptions(combine="stack"), seed=1)
    assert set(combiner.methods().values()) == {"mean"}
    combined = combiner.log_odds(past.odds)
    assert_allclose(combined[..., GAP], past.odds.mean()[..., GAP])
    assert np.isnan(combiner.interval(combined)).all()
    reason = "mean speaks (too little history to judge challengers by)"
    assert who_speaks(manifest(combiner, "stack")) == "; ".join(f"{label}: {reason}" for label in LABELS)


def test_a_vote_is_the_share_of_members_that_say_up() -> None:
    odds = MemberOdds(("a", "b", "c"), np.array([1.0, 2.0, -1.0]).reshape(3, 1, 1, 1), (), np.zeros((1, 1, 0)))
    assert_allclose(1 / (1 + np.exp(-odds.vote())), 2.5 / 4)


def test_a_stored_combiner_says_the_same(overconfident: History, corrected: Combiner) -> None:
    restored = load_combiner(corrected.files())
    assert restored == corrected
    combined = corrected.log_odds(overconfident.odds)
    assert_array_equal(restored.log_odds(overconfident.odds), combined)
    assert_array_equal(restored.interval(combined), corrected.interval(combined))


def test_the_interval_lies_where_outcomes_put_the_probability(overconfident: History, corrected: Combiner) -> None:
    combined = corrected.log_odds(overconfident.odds)
    low, high = corrected.interval(combined)
    assert ((low >= 0) & (low <= high) & (high <= 1)).all()
    middle = ((low + high) / 2)[..., GAP]
    probability = 1 / (1 + np.exp(-combined[..., GAP]))
    assert np.abs(middle - probability).mean() < 0.05  # the members themselves are off by 0.15


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"members": ("two", "one")}, "fitted on the members one, two and was given two, one; train the month again"),
        ({"condition_names": ("trend", "oil")}, "fitted on the conditions trend, fear and was given trend, oil"),
    ],
)
def test_other_columns_than_it_was_fitted_on_are_refused_in_one_line(
    overconfident: History, corrected: Combiner, change: dict[str, tuple[str, ...]], complaint: str
) -> None:
    odds = overconfident.odds
    names = {"members": odds.members, "condition_names": odds.condition_names} | change
    with pytest.raises(ColumnMismatch, match=complaint):
        corrected.log_odds(MemberOdds(names["members"], odds.log_odds, names["condition_names"], odds.conditions))


def test_stored_forecasts_of_another_number_of_members_are_refused_with_both_numbers(overconfident: History) -> None:
    odds = overconfident.odds
    with pytest.raises(ColumnMismatch, match=r"forecasts of 2 members were stored; the configuration has 3: a, b, c"):
        MemberOdds(("a", "b", "c"), odds.log_odds, odds.condition_names, odds.conditions)
    with pytest.raises(ColumnMismatch, match=r"one column for each of trend\."):
        MemberOdds(odds.members, odds.log_odds, ("trend",), odds.conditions)
