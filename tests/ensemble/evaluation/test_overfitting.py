from itertools import combinations

import numpy as np
import pytest
from scipy.special import logit
from scipy.stats import linregress, rankdata

from ensemble.arrays import Floats
from ensemble.evaluation.overfitting import probability_of_overfitting


def oracle(gains: Floats, blocks: int) -> tuple[float, float, float]:
    """The paper's recipe, step by step: probability, loss probability, slope."""
    parts = np.array_split(gains, blocks)
    logits, before, after = [], [], []
    for chosen in combinations(range(blocks), blocks // 2):
        inside = np.concatenate([parts[one] for one in chosen])
        outside = np.concatenate([parts[one] for one in range(blocks) if one not in chosen])
        sharpes = [side.mean(axis=0) / side.std(axis=0) for side in (inside, outside)]
        best = int(np.argmax(sharpes[0]))
        logits.append(logit(rankdata(sharpes[1])[best] / (gains.shape[1] + 1)))
        before.append(sharpes[0][best])
        after.append(sharpes[1][best])
    slope = linregress(before, after).slope
    return float(np.mean(np.array(logits) <= 0)), float(np.mean(np.array(after) < 0)), float(slope)


@pytest.mark.parametrize(("sessions", "trials", "blocks"), [(60, 5, 6), (101, 8, 8), (40, 2, 4)])
def test_it_is_the_papers_recipe(sessions: int, trials: int, blocks: int) -> None:
    gains = np.random.default_rng(sessions).normal(0.02, 1, (sessions, trials))
    found = probability_of_overfitting(gains, blocks=blocks)
    expected = oracle(gains, blocks)
    assert (found.probability, found.loss_probability, found.slope) == pytest.approx(expected, abs=1e-9)
    assert found.halves == len(list(combinations(range(blocks), blocks // 2)))


def test_choosing_among_trials_without_skill_chooses_nothing() -> None:
    found = [
        probability_of_overfitting(np.random.default_rng(seed).normal(size=(320, 20)), blocks=8) for seed in range(40)
    ]
    assert np.mean([one.probability for one in found]) == pytest.approx(0.5, abs=0.1)
    assert np.mean([one.loss_probability for one in found]) == pytest.approx(0.5, abs=0.1)


def test_a_trial_that_is_really_better_is_found_again() -> None:
    gains = np.random.default_rng(1).normal(size=(640, 20))
    gains[:, 7] += 0.4
    found = probability_of_overfitting(gains)
    assert found.probability < 0.01
    assert found.loss_probability < 0.01
    assert found.halves == 12_870


def test_what_won_by_chance_in_one_half_loses_in_the_other() -> None:
    # Each trial is as good in one half of the time as it is bad in the other.
    random = np.random.default_rng(2)
    level = np.repeat([1.0, -1.0], 160)[:, None] * np.linspace(-1, 1, 11)
    found = probability_of_overfitting(level + random.normal(0, 0.1, level.shape), blocks=2)
    assert found.probability == 1
    assert found.loss_probability == 1


def test_equal_trials_share_the_middle_rank() -> None:
    same = np.repeat(np.random.default_rng(3).normal(size=(100, 1)), 3, axis=1)
    assert probability_of_overfitting(same, blocks=4).probability == 1  # the middle is not the better half


@pytest.mark.parametrize(("sessions", "trials", "blocks"), [(100, 1, 4), (100, 3, 5), (7, 3, 4)])
def test_too_little_to_cut_is_refused(sessions: int, trials: int, blocks: int) -> None:
    with pytest.raises(ValueError, match="it takes 2 trials, an even number of blocks"):
        probability_of_overfitting(np.zeros((sessions, trials)), blocks=blocks)
