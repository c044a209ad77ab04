"""The evidence is what the speaker really said out of sample, counted, and worth no more than it tells."""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ensemble.arrays import Floats
from ensemble.labels import LABELS
from ensemble.stacking.combiner import StackOptions, fit_combiner, load_combiner
from ensemble.stacking.evidence import Evidence, gather_evidence
from ensemble.stacking.history import History

DAYS = 21
GAP, BARRIER = LABELS.index("gap"), LABELS.index("barrier")
MakeHistory = Callable[..., History]


def past(seed: int, shape: tuple[int, int] = (3, 100)) -> tuple[Floats, Floats]:
    """What was said about some symbols and sessions, and what came of it, a tenth of it not known."""
    random = np.random.default_rng(seed)
    said = random.normal(0, 0.3, shape)
    outcomes = (random.random(shape) < 1 / (1 + np.exp(-said))).astype(np.float64)
    outcomes[random.random(shape) < 0.1] = np.nan
    return said, outcomes


@given(st.integers(0, 1000))
def test_every_known_forecast_is_counted_once_under_its_score(seed: int) -> None:
    said, outcomes = past(seed)
    evidence = gather_evidence(said, outcomes, lags=0)
    pairs = [(round(100 * x), y) for x, y in zip(said.ravel(), outcomes.ravel(), strict=True) if y == y]
    assert dict(zip(evidence.scores, evidence.counts, strict=True)) == Counter(score for score, _ in pairs)
    assert sum(evidence.ups) == sum(y for _, y in pairs)
    assert list(evidence.scores) == sorted(set(evidence.scores))
    assert all(up <= count for up, count in zip(evidence.ups, evidence.counts, strict=True))
    assert 0 < evidence.worth <= evidence.count == len(pairs)


def test_what_is_not_known_is_no_evidence() -> None:
    said, outcomes = past(1)
    assert gather_evidence(said, np.full_like(outcomes, np.nan), lags=0) == Evidence()
    assert gather_evidence(said[:, :0], outcomes[:, :0], lags=0) == Evidence()
    assert Evidence().count == 0


def test_stocks_that_share_a_fate_are_worth_one_of_them() -> None:
    said, outcomes = past(2, (1, 400))
    one = gather_evidence(said, outcomes, lags=0)
    six = gather_evidence(np.repeat(said, 6, axis=0), np.repeat(outcomes, 6, axis=0), lags=0)
    apart = gather_evidence(*past(2, (6, 400)), lags=0)
    assert six.count == 6 * one.count
    assert six.worth == pytest.approx(one.worth, rel=0.05)
    assert apart.worth > 5 * one.worth


def test_labels_that_overlap_are_worth_fewer() -> None:
    random = np.random.default_rng(3)
    moves = random.normal(size=(1, 2009))
    ten_sessions = np.array([[moves[0, t : t + 10].sum() > 0 for t in range(2000)]], dtype=np.float64)
    evidence = gather_evidence(np.zeros((1, 2000)), ten_sessions, lags=9)
    assert 2000 / 10 < evidence.worth < 2000 / 4


def test_the_evidence_is_of_who_speaks(make_history: MakeHistory) -> None:
    overconfident = make_history(truth=0.3, says=1.0)
    options = StackOptions(train_months=8, gate_months=4)
    corrected = fit_combiner(overconfident, options, seed=1).evidence("gap")
    of_mean = fit_combiner(overconfident, options.model_copy(update={"combine": "mean"}), seed=1).evidence("gap")
    assert of_mean.count == overconfident.labels[..., GAP].size  # the mean needs no learning: all of history
    assert corrected.count == 4 * DAYS * overconfident.labels.shape[0]
    assert max(of_mean.scores) > 2 * max(corrected.scores)


def test_outcomes_that_are_not_known_yet_are_no_evidence(make_history: MakeHistory) -> None:
    history = make_history()
    mean = StackOptions(combine="mean", train_months=8, gate_months=4)
    evidence = fit_combiner(history, mean, seed=1).evidence("barrier")
    symbols, rows = history.labels.shape[:2]
    assert evidence.count == symbols * (rows - 9)
    later = replace(history, labels=history.labels.copy())
    later.labels[:, -9:, BARRIER] = 1 - later.labels[:, -9:, BARRIER]
    assert fit_combiner(later, mean, seed=1).evidence("barrier") == evidence


def test_a_combiner_stored_before_there_was_evidence_speaks_and_has_none(make_history: MakeHistory) -> None:
    history = make_history()
    fitted = fit_combiner(history, StackOptions(train_months=8, gate_months=4), seed=1)
    files = dict(fitted.files())
    settings = json.loads(files["combiner.json"])
    for label in settings["labels"].values():
        del label["evidence"]
    old = load_combiner(files | {"combiner.json": json.dumps(settings).encode()})
    assert old.evidence("gap") == Evidence()
    assert (old.log_odds(history.odds) == fitted.log_odds(history.odds)).all()
