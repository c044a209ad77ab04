"""What the training benchmarks time is the trainer's own work, and what they score is log loss."""

import subprocess
import sys
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from daemon.config.settings import MarketOptions, Settings
from ensemble.arrays import Floats
from ensemble.members.fitted import Files
from ensemble.members.specs import LstmSpec
from ensemble.panel import Panel
from ensemble.validation.rules import Series
from ensemble.validation.sifting import sift_bars
from ensemble.windows import Window
from storage.feeds import History
from storage.feeds.files import FilesFeed
from tests.bench.market import last_months, month_window, write_made_up_bars
from tests.bench.members import wider
from tests.bench.memory import memory_after_each
from tests.bench.retrain import FAST, REFERENCE, compare, figures, loss_difference, session_losses
from tests.bench.step import open_epoch


@pytest.fixture(scope="module")
def small() -> LstmSpec:
    return wider(units=[4, 2], sequence_steps=10, learned_steps=10, warmup_steps=5, segments_per_step=8, epochs=2)


def test_a_pass_moves_the_weights_over_every_labelled_row_once(small: LstmSpec, window: Window) -> None:
    epoch = open_epoch(small, window)
    before = epoch.trainer.weights["lstm_0_kernel"].copy()
    epoch.run()
    assert not np.array_equal(before, epoch.trainer.weights["lstm_0_kernel"])
    learned = np.isfinite(epoch.whole().labels).sum()
    assert learned == np.isfinite(window.labels).sum()
    assert epoch.whole().inputs.shape[1] == epoch.n_segments


def test_operations_of_a_pass_are_those_of_its_segments(small: LstmSpec, window: Window) -> None:
    epoch = open_epoch(small, window)
    assert epoch.flops > 0
    assert epoch.flops % epoch.n_segments == 0


def test_both_sides_are_trained_on_the_same_months_and_scored_on_those_that_follow(
    small: LstmSpec, panel: Panel
) -> None:
    sides = {REFERENCE: small, FAST: small.model_copy(update={"epochs": 1})}
    comparison = compare(sides, panel, ("2021-03", "2021-04"), years=1, repetitions=2)
    assert {name: len(costs) for name, costs in comparison.cpu_s.items()} == {REFERENCE: 4, FAST: 4}
    assert comparison.passes == {REFERENCE: [2.0] * 4, FAST: [1.0] * 4}
    sessions = sum(f"{session:%Y-%m}" in ("2021-03", "2021-04") for session in panel.sessions)
    assert comparison.losses[FAST].shape == comparison.losses[REFERENCE].shape == (sessions,)
    names = [figure.name for figure in figures(comparison)]
    assert f"{REFERENCE} : {FAST}" in names
    assert len(names) == len(set(names))


class Always:
    """A member that says the same log-odds of everything."""

    def __init__(self, says: float) -> None:
        self._says = says

    def log_odds(self, panel: Panel, rows: slice) -> Floats:
        return np.full(panel.labels[:, rows].shape, self._says)

    def files(self) -> Files:
        return {}


def test_a_sessions_loss_is_the_mean_log_loss_of_its_known_labels(panel: Panel) -> None:
    rows = slice(10, 30)
    assert_allclose(session_losses(Always(0.0), panel, rows), np.log(2))
    ups = np.nanmean(panel.labels[:, rows], axis=(0, 2))
    expected = -(ups * np.log(0.8) + (1 - ups) * np.log(0.2))
    assert_allclose(session_losses(Always(float(np.log(4))), panel, rows), expected, rtol=1e-6)


def test_a_difference_of_losses_lies_in_its_interval_and_equal_losses_give_none() -> None:
    random = np.random.default_rng(1)
    reference = random.normal(0.69, 0.05, 60)
    worse = loss_difference(reference + random.normal(0.02, 0.01, 60), reference)
    assert worse.low is not None
    assert worse.high is not None
    assert 0 < worse.low < worse.value < worse.high
    assert not worse.is_reached
    same = loss_difference(reference, reference)
    assert (same.low, same.value, same.high) == (0, 0, 0)
    assert same.is_reached


def test_every_retrain_of_the_memory_benchmark_leaves_one_figure(small: LstmSpec, panel: Panel) -> None:
    held = memory_after_each(small, panel, 1, 3, until="2021-06")
    assert len(held) == 3
    assert all(megabytes > 10 for megabytes in held)


def test_made_up_bars_are_bars_and_the_same_every_time(tmp_path: Path) -> None:
    market = MarketOptions(symbols=("AAA.NS",), peers=(), context={"XNYS": ("ETF",)}, history_start=date(2020, 1, 1))
    for folder in ("first", "second"):
        write_made_up_bars(tmp_path / folder, Settings(market=market))
    assert (tmp_path / "first" / "ETF.csv").read_bytes() == (tmp_path / "second" / "ETF.csv").read_bytes()
    histories = FilesFeed(tmp_path / "first").fetch(["AAA.NS", "ETF"], first=date(2020, 1, 1), last=date(2021, 12, 31))
    for symbol, history in histories.items():
        assert isinstance(history, History)
        sifted = sift_bars(history.bars, Series(symbol, complete=True, sessions=None), rules=Settings().bars)
        assert len(sifted.kept) > 450
        assert sifted.refused.empty


def test_a_months_window_ends_where_its_sessions_begin(panel: Panel) -> None:
    fold, window = month_window(panel, "2021-04", years=1)
    assert fold.train.stop == fold.test.start
    assert f"{panel.sessions[fold.test.start]:%Y-%m}" == "2021-04"
    assert window.values.shape[1] == fold.train.stop - fold.train.start


def test_months_run_up_to_the_last_and_with_it() -> None:
    assert last_months(3, until="2021-01") == ("2020-11", "2020-12", "2021-01")


MEASURED = """
import time
from tests.bench.measure import cpu_s
print(cpu_s(lambda: time.sleep(0.3)), cpu_s(lambda: sum(range(2_000_000))))
"""


def test_cpu_time_counts_work_and_not_waiting() -> None:
    # In a process of its own: threads that other tests left would count as well.
    done = subprocess.run([sys.executable, "-c", MEASURED], capture_output=True, text=True, check=True)
    waiting, working = map(float, done.stdout.split())
    assert waiting < 0.2
    assert working > 0.005
