"""A challenger is judged on what neither side has learnt from, and a policy says what follows."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.metrics import log_loss

from ensemble.arrays import Floats
from ensemble.evaluation.promotion import PromotionOptions, Trial, Verdict, fault_of, hold_trial, is_promoted

RANDOM = np.random.default_rng(1)
SKILL = RANDOM.normal(0, 1, (3, 60))
OUTCOMES = (RANDOM.random((3, 60)) < 1 / (1 + np.exp(-SKILL))).astype(np.float64)
NOISE = RANDOM.normal(0, 1, (3, 60))
SAID = np.ones((3, 60), dtype=np.bool_)


def trial(challenger: Floats, champion: Floats, outcomes: Floats = OUTCOMES) -> Trial:
    return hold_trial(challenger, champion, outcomes, said=SAID, horizon=1)


def test_losses_and_bias_are_those_of_a_second_library_over_the_known_outcomes() -> None:
    outcomes = OUTCOMES.copy()
    outcomes[0, :5] = np.nan
    said = SAID.copy()
    said[1, 7] = False
    found = hold_trial(SKILL, NOISE, outcomes, said=said, horizon=1)
    known = np.isfinite(outcomes) & said
    by_session = [
        log_loss(outcomes[known[:, day], day], 1 / (1 + np.exp(-SKILL[known[:, day], day])), labels=[0, 1])
        for day in range(60)
    ]
    assert_allclose(found.comparison.loss, np.mean(by_session))
    assert found.comparison.sessions == 60
    assert_allclose(found.bias, (1 / (1 + np.exp(-SKILL[known])) - outcomes[known]).mean())


def test_a_trial_says_which_side_won_where_luck_does_not_explain_it() -> None:
    assert trial(SKILL, NOISE).verdict(0.05) is Verdict.BETTER
    assert trial(NOISE, SKILL).verdict(0.05) is Verdict.WORSE
    close = trial(SKILL, SKILL + RANDOM.normal(0, 0.01, SKILL.shape))
    assert close.verdict(0.01) is Verdict.NO_DIFFERENCE
    assert close.verdict(0.5) in (Verdict.BETTER, Verdict.WORSE)


def test_the_two_sides_of_a_trial_mirror_each_other() -> None:
    one, other = trial(SKILL, NOISE), trial(NOISE, SKILL)
    assert one.comparison.p_value == other.worse_p_value
    assert one.comparison.loss == other.comparison.incumbent_loss
    assert one.bias == other.champion_bias


def test_without_a_known_outcome_nothing_is_shown_and_nobody_promoted() -> None:
    untried = trial(SKILL, NOISE, np.full((3, 60), np.nan))
    assert untried.verdict(0.5) is Verdict.UNTRIED
    assert untried.scores()["loss"] is None
    for policy in ("better", "unless_worse"):
        assert not is_promoted(untried, PromotionOptions(policy=policy), champion_age_months=2)


@pytest.mark.parametrize(
    ("log_odds", "fault"),
    [
        (np.zeros((2, 5)), "it says the same of every session"),
        (np.array([[0.1, np.nan]]), "it says what is no number"),
        (np.array([[5.0, 4.9]]), "its mean probability is 0.993"),
        (np.array([[0.1, -0.2]]), ""),
        (np.zeros((2, 0)), ""),
    ],
)
def test_a_version_that_says_nothing_is_told_before_any_outcome_is_known(log_odds: Floats, fault: str) -> None:
    assert fault_of(log_odds) == fault


@pytest.mark.parametrize(
    ("challenger", "policy", "age", "promoted"),
    [
        (SKILL, "better", 2, True),
        (NOISE, "better", 2, False),
        (NOISE, "better", 3, False),
        (NOISE, "better", 4, True),  # too old to serve on
        (SKILL, "unless_worse", 2, True),
        (NOISE, "unless_worse", 2, False),
        (np.zeros((3, 60)), "unless_worse", 9, False),  # a degenerate one never serves
    ],
)
def test_the_policy_says_who_serves(challenger: Floats, policy: str, age: int, promoted: bool) -> None:
    options = PromotionOptions.model_validate({"policy": policy, "max_p_value": 0.05})
    champion = NOISE if challenger is SKILL else SKILL
    assert is_promoted(trial(challenger, champion), options, champion_age_months=age) == promoted


def test_where_luck_may_explain_it_only_unless_worse_promotes() -> None:
    close = trial(SKILL, SKILL + np.random.default_rng(2).normal(0, 0.01, SKILL.shape))
    for policy, promoted in (("unless_worse", True), ("better", False)):
        options = PromotionOptions.model_validate({"policy": policy, "max_p_value": 0.01})
        assert is_promoted(close, options, champion_age_months=2) == promoted
