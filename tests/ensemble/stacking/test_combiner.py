"""The mean speaks until a learned combination has beaten it on later data."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from ensemble.labels import LABELS
from ensemble.stacking.combiner import StackOptions, fit_combiner, load_combiner
from ensemble.stacking.comparison import log_losses
from ensemble.stacking.history import History, MemberOdds

MONTHS, DAYS, SYMBOLS = 24, 21, 6
N_ROWS = MONTHS * DAYS
GAP, BARRIER = LABELS.index("gap"), LABELS.index("barrier")


def history(truth: float = 1.0, says: float = 1.0, seed: int = 0) -> History:
    """Two noisy members that see log-odds `truth` times a signal and say `says` times what they see."""
    random = np.random.default_rng(seed)
    shape = (SYMBOLS, N_ROWS, len(LABELS))
    signal = random.normal(size=shape)
    labels = (random.random(shape) < 1 / (1 + np.exp(-truth * signal))).astype(np.float32)
    odds = np.stack([says * (signal + random.normal(0, 0.1, shape)) for _ in range(2)])
    return History(
        MemberOdds(("one", "two"), odds, random.normal(size=(SYMBOLS, N_ROWS, 2))),
        pd.date_range("2015-01-01", periods=N_ROWS, freq="B"),
        labels,
        np.repeat(np.arange(MONTHS), DAYS),
        ends=(0, 0, 0, 9),
    )


def test_honest_members_speak_through_their_mean() -> None:
    combiner = fit_combiner(history(), StackOptions(), seed=1)
    assert set(combiner.methods().values()) == {"mean"}


def test_overconfident_members_are_corrected_and_the_verdict_says_why() -> None:
    past = history(truth=0.3, says=1.0)
    combiner = fit_combiner(past, StackOptions(), seed=1)
    speaker = combiner.labels[GAP]
    assert speaker.method in ("platt", "stack")
    assert speaker.verdicts[speaker.method].p_value < 0.05
    assert speaker.verdicts[speaker.method].loss < speaker.verdicts[speaker.method].incumbent_loss
    assert combiner.p_values()["gap"][speaker.method] < 0.05
    assert 0.2 < speaker.line.slope < 0.5


@pytest.mark.parametrize("method", ["stack", "mean", "vote"])
def test_a_chosen_method_speaks_whatever_the_verdict(method: str) -> None:
    combiner = fit_combiner(history(), StackOptions.model_validate({"combine": method}), seed=1)
    assert set(combiner.methods().values()) == {method}


def test_a_stack_improves_on_the_mean_where_only_one_member_knows_anything() -> None:
    past = history(truth=2.0)
    past.odds.log_odds[1] = np.random.default_rng(9).normal(0, 2, past.odds.log_odds[1].shape)
    combiner = fit_combiner(past, StackOptions(), seed=1)
    assert combiner.methods()["gap"] == "stack"


def test_labels_not_yet_known_change_nothing() -> None:
    past, other = history(truth=0.3), history(truth=0.3)
    other.labels[:, -9:, BARRIER] = 1 - other.labels[:, -9:, BARRIER]
    assert fit_combiner(past, StackOptions(), seed=1).files() == fit_combiner(other, StackOptions(), seed=1).files()


def test_a_label_that_is_known_does_change_something() -> None:
    past, other = history(truth=0.3), history(truth=0.3)
    other.labels[:, -DAYS:, GAP] = 1 - other.labels[:, -DAYS:, GAP]
    assert fit_combiner(past, StackOptions(), seed=1).files() != fit_combiner(other, StackOptions(), seed=1).files()


def test_without_history_the_mean_speaks() -> None:
    past = history()
    empty = History(past.odds.rows(slice(0, 0)), past.sessions[:0], past.labels[:, :0], past.month[:0], past.ends)
    combiner = fit_combiner(empty, StackOptions(), seed=1)
    assert set(combiner.methods().values()) == {"mean"}
    assert_allclose(combiner.log_odds(past.odds)[..., GAP], past.odds.mean()[..., GAP])


def test_a_vote_is_the_share_of_members_that_say_up() -> None:
    odds = MemberOdds(("a", "b", "c"), np.array([1.0, 2.0, -1.0]).reshape(3, 1, 1, 1), np.zeros((1, 1, 0)))
    assert_allclose(1 / (1 + np.exp(-odds.vote())), 2.5 / 4)


def test_a_stored_combiner_speaks_the_same() -> None:
    past = history(truth=0.3)
    combiner = fit_combiner(past, StackOptions(), seed=1)
    restored = load_combiner(combiner.files())
    assert_array_equal(restored.log_odds(past.odds), combiner.log_odds(past.odds))
    assert restored.labels[GAP].verdicts == combiner.labels[GAP].verdicts


def test_the_gate_judges_a_month_by_what_was_fitted_on_the_months_before_it() -> None:
    past = history(truth=0.3)
    before = History(
        past.odds.rows(slice(0, -DAYS)), past.sessions[:-DAYS], past.labels[:, :-DAYS], past.month[:-DAYS], past.ends
    )
    line = fit_combiner(before, StackOptions(), seed=1).labels[GAP].line
    judged = fit_combiner(past, StackOptions(gate_months=1), seed=1).labels[GAP].verdicts["platt"]
    odds = line(past.odds.mean()[:, -DAYS:, GAP])
    assert judged.sessions == DAYS
    assert_allclose(judged.loss, log_losses(odds, past.labels[:, -DAYS:, GAP].astype(np.float64)).mean())
