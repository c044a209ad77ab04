"""How the members' log-odds became the ensemble's: the parts add up, whoever speaks."""

from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
from numpy.testing import assert_allclose

from ensemble.evaluation.attribution.combination import CURVES, combination
from ensemble.labels import LABELS
from ensemble.stacking.combiner import LabelCombiner
from ensemble.stacking.comparison import Comparison
from ensemble.stacking.history import CLIP_LOG_ODDS, MemberOdds
from ensemble.stacking.lesson import Lesson
from ensemble.stacking.venn_abers import VennAbers
from ensemble.stacking.voices import Method, Voices, fit_voices

METHODS: tuple[Method, ...] = get_args(Method)
NO_VERDICTS: dict[str, Comparison] = {}


def make_odds(rows: int, symbols: int = 2) -> MemberOdds:
    random = np.random.default_rng(3)
    log_odds = random.normal(0, 1.5, size=(3, symbols, rows, len(LABELS)))
    log_odds[0, 0, 0] = 9.0  # beyond what the combiner lets through
    return MemberOdds(("one", "two", "three"), log_odds, ("trend",), random.normal(size=(symbols, rows, 1)))


@pytest.fixture(scope="module")
def learned() -> Voices:
    odds = make_odds(400)
    truth = 1 / (1 + np.exp(-0.4 * odds.mean()[..., 0]))
    outcomes = (np.random.default_rng(4).random(truth.shape) < truth).astype(np.float64)
    voices = fit_voices(Lesson(odds, 0, outcomes, lags=0), seed=1)
    assert voices.learned
    return voices


def one_row(odds: MemberOdds) -> MemberOdds:
    return replace(odds, log_odds=odds.log_odds[:, :1, :1], conditions=odds.conditions[:1, :1])


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("knows", [True, False])
def test_the_parts_add_up_to_what_was_said(method: Method, knows: bool, learned: Voices) -> None:
    combiner = LabelCombiner(method, learned if knows else Voices(), VennAbers(), NO_VERDICTS)
    row = one_row(make_odds(5))
    taken = combination(combiner, row, 0)
    assert_allclose(taken.after, combiner.log_odds(row, 0)[0, 0], atol=1e-12)
    assert taken.members[0] == CLIP_LOG_ODDS
    assert taken.others[method if knows else "mean"] == taken.after or method == "vote"
    if method == "vote":
        assert taken.weights == ()
        return
    linear = taken.intercept + float(np.dot(taken.weights, taken.members))
    assert_allclose(linear + sum(taken.added.values()), taken.before, atol=1e-9)
    assert bool(taken.added) == (method == "stack" and knows)


@pytest.mark.parametrize("method", CURVES)
def test_calibration_stands_between_the_mean_and_what_was_said(method: Method, learned: Voices) -> None:
    row = one_row(make_odds(5))
    taken = combination(LabelCombiner(method, learned, VennAbers(), NO_VERDICTS), row, 0)
    assert_allclose(taken.before, row.mean()[0, 0, 0])
    assert taken.before != taken.after


def test_who_has_learned_nothing_is_not_asked() -> None:
    taken = combination(LabelCombiner("mean", Voices(), VennAbers(), NO_VERDICTS), one_row(make_odds(5)), 0)
    assert set(taken.others) == {"mean", "vote"}
