"""Every voice is judged on months after those it learned from."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from ensemble.labels import LABELS
from ensemble.stacking.comparison import Comparison, log_losses
from ensemble.stacking.gate import explain, learn, rehearse, winner
from ensemble.stacking.history import History, MemberOdds
from ensemble.stacking.lesson import Lesson
from ensemble.stacking.venn_abers import VennAbers
from ensemble.stacking.voices import CHALLENGERS, UNLEARNED, Method, fit_voices

DAYS = 21
GAP, BARRIER = LABELS.index("gap"), LABELS.index("barrier")
MakeHistory = Callable[..., History]


@pytest.fixture(scope="module")
def past(make_history: MakeHistory) -> History:
    return make_history(truth=0.3)


def test_a_month_is_forecast_by_what_was_learned_on_the_months_before_it(past: History) -> None:
    before = History(
        past.odds.rows(slice(0, -DAYS)), past.sessions[:-DAYS], past.labels[:, :-DAYS], past.month[:-DAYS], past.ends
    )
    voices = learn(before, GAP, before.n_months, train_months=6, seed=1)
    rehearsal = rehearse(past, GAP, train_months=6, gate_months=1, seed=1)
    newest = past.odds.rows(slice(-DAYS, None))
    verdicts = rehearsal.verdicts(horizon=1)
    for name in CHALLENGERS:
        said = voices.log_odds(name, newest, GAP)
        assert_array_equal(rehearsal.said[name], said)
        assert verdicts[name].sessions == DAYS
        assert_allclose(verdicts[name].loss, log_losses(said, past.labels[:, -DAYS:, GAP].astype(np.float64)).mean())


@pytest.mark.parametrize("label", [GAP, BARRIER])
def test_no_outcome_changes_what_was_said_before_it_was_known(past: History, label: int) -> None:
    first = rehearse(past, label, train_months=6, gate_months=3, seed=1)
    later = replace(past, labels=past.labels.copy())
    known_from = len(past.sessions) - 2 * DAYS  # the last two months begin here
    later.labels[:, known_from - past.ends[label] :, label] = np.nan
    other = rehearse(later, label, train_months=6, gate_months=3, seed=1)
    for name in CHALLENGERS:
        assert_array_equal(other.said[name][:, : 2 * DAYS], first.said[name][:, : 2 * DAYS])
        assert not np.array_equal(other.said[name][:, 2 * DAYS :], first.said[name][:, 2 * DAYS :])


def test_what_needs_no_learning_speaks_about_all_of_history(past: History) -> None:
    rehearsal = rehearse(past, GAP, train_months=6, gate_months=1, seed=1)
    for name in UNLEARNED:
        assert rehearsal.said[name].shape == past.labels.shape[:2]
    assert_array_equal(rehearsal.said["mean"], past.odds.mean()[..., GAP])


def test_the_interval_is_made_from_what_the_speaker_said_and_no_other(past: History) -> None:
    rehearsal = rehearse(past, GAP, train_months=6, gate_months=3, seed=1)
    of_mean, of_platt = (rehearsal.interval(name, horizon=1) for name in ("mean", "platt"))
    assert max(of_mean.high_edges) > 2 * max(of_platt.high_edges)  # the mean claims three times what Platt's line does


def test_six_stocks_that_move_as_one_make_nobody_surer_than_one_of_them(past: History) -> None:
    def of_symbols(chosen: list[int]) -> VennAbers:
        odds = past.odds
        copies = MemberOdds(odds.members, odds.log_odds[:, chosen], odds.condition_names, odds.conditions[chosen])
        same = replace(past, odds=copies, labels=past.labels[chosen])
        return rehearse(same, GAP, train_months=6, gate_months=1, seed=1).interval("mean", horizon=1)

    asked = np.linspace(-1.5, 1.5, 100)
    one, six_times, six = (np.array(of_symbols(chosen)(asked)) for chosen in ([0], [0] * 6, list(range(6))))
    assert_allclose(six_times, one, atol=0.005)
    assert (six[1] - six[0]).mean() < 0.5 * (one[1] - one[0]).mean()


@pytest.mark.parametrize("name", ["ridge", "platt", "beta", "stack"])
def test_six_stocks_that_move_as_one_teach_no_more_than_one_of_them(past: History, name: Method) -> None:
    taught = []
    for copies in (1, 6):
        odds = MemberOdds(
            past.odds.members, past.odds.log_odds[:, [0] * copies], (), np.zeros((copies, len(past.sessions), 0))
        )
        outcomes = past.labels[[0] * copies, :, GAP].astype(np.float64)
        voices = fit_voices(Lesson(odds, GAP, outcomes, lags=0), seed=1)
        taught.append(voices.log_odds(name, odds, GAP)[0])
    assert_allclose(taught[1], taught[0], atol=0.02)


def test_labels_that_end_after_history_judge_nobody(past: History) -> None:
    endless = replace(past, ends=(0, 0, 0, 2 * DAYS - 1))  # one session of the gate months is known: no mean of it
    rehearsal = rehearse(endless, BARRIER, train_months=6, gate_months=2, seed=1)
    assert rehearsal.learned
    assert len(rehearsal.verdicts(horizon=2 * DAYS)) == 0
    assert rehearse(past, BARRIER, train_months=6, gate_months=2, seed=1).verdicts(horizon=10)


def verdict(loss: float, adjusted: float) -> Comparison:
    return Comparison(250, loss, 0.69, adjusted / 5, adjusted)


def test_the_least_loss_of_the_proven_speaks() -> None:
    verdicts = {"ridge": verdict(0.66, 0.20), "stack": verdict(0.67, 0.01), "beta": verdict(0.68, 0.001)}
    assert winner(verdicts, max_p_value=0.05) == "stack"
    assert winner(verdicts, max_p_value=0.005) == "beta"
    assert winner(verdicts, max_p_value=0.0001) == "mean"
    assert winner({}, max_p_value=0.5) == "mean"


def test_a_lucky_one_of_many_does_not_speak() -> None:
    lucky = Comparison(250, 0.68, 0.69, p_value=0.03, adjusted_p_value=0.15)
    assert winner({"stack": lucky}, max_p_value=0.05) == "mean"


def test_the_explanation_names_who_came_closest() -> None:
    verdicts = {"ridge": verdict(0.6912, 0.31), "stack": verdict(0.7, 1.0)}
    because = "log loss 0.6912, the mean's 0.6900, p 0.31 of 2 tried)"
    assert explain("mean", verdicts, fixed=False) == f"mean speaks (best challenger ridge: {because}"
    assert explain("ridge", verdicts, fixed=True) == f"ridge speaks (as configured; {because}"
    assert explain("mean", {}, fixed=False) == "mean speaks (too little history to judge challengers by)"
