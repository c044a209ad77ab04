"""A sweep tries, keeps record, goes on where it was, and never sees what is held out."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import text

import daemon.models.factory
import daemon.sweeps.sweep
from daemon.backtests.backtest import backtest
from daemon.errors import DaemonError
from daemon.services import Services
from daemon.sweeps.member_walk import MemberWalk
from daemon.sweeps.results import selection_of, write_results
from daemon.sweeps.study import Study, Wanted, open_study, spec_in
from daemon.sweeps.sweep import sweep
from daemon.sweeps.trial_scores import Walked, losses_of
from daemon.training.trainer import TrainingFailed
from ensemble.labels import LABELS
from ensemble.members.specs import LogitSpec, LstmSpec, MemberSpec
from ensemble.members.tasks import TrainingTask, fit_member
from storage.engine import reading
from storage.model_store import ModelStore
from storage.trial_store import Trial, TrialState, number_of_trials, read_performance, read_trials

ServicesAt = Callable[..., AbstractContextManager[Services]]
AFTERWARDS = "2021-12-31 20:00"
WANTED = Wanted(date(2021, 7, 1), date(2021, 9, 30), "gap", 4)
SEARCH = '\n[sweep]\nkinds = ["logit", "lightgbm"]\nlooks = 3\n'


@pytest.fixture(scope="module", autouse=True)
def _trained_here() -> Iterator[None]:
    """In this process: how children train is not this file's matter, and they take seconds to start."""

    def train(tasks: Sequence[TrainingTask], store: ModelStore, **_: object) -> None:
        for task in tasks:
            store.put_part(task.key, fit_member(task))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(daemon.models.factory, "train_parts", train)
        yield


@pytest.fixture(scope="module")
def searched(
    _trained_here: None,
    tmp_path_factory: pytest.TempPathFactory,
    write_installation: Callable[[Path], Path],
    services_at: ServicesAt,
) -> Path:
    """An installation after a sweep of four trials, the two presets first."""
    folder = write_installation(tmp_path_factory.mktemp("searched"))
    config = folder / "config.toml"
    config.write_text(config.read_text() + SEARCH)
    with services_at(folder, AFTERWARDS) as services:
        sweep(services, WANTED)
    return folder


@pytest.fixture
def copied(searched: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(searched, tmp_path / "copied"))


def outcome_of(trials: Iterable[Trial]) -> list[Trial]:
    """The trials without the instants at which they were made."""
    return [replace(trial, started_at=trial.finished_at or trial.started_at, finished_at=None) for trial in trials]


def never(items: Iterable[Any], *, total: int, label: str) -> Iterator[Any]:
    assert total == 0, f"{label}: nothing was to be done"
    yield from items


def test_it_begins_with_the_presets_and_keeps_all_of_it_in_the_ledger(searched: Path, services_at: ServicesAt) -> None:
    with services_at(searched, AFTERWARDS) as services, reading(services.engine) as conn:
        trials, gains = read_trials(conn), read_performance(conn, "gap")
        assert number_of_trials(conn) == number_of_trials(conn, "gap") == 4
        assert number_of_trials(conn, "barrier") == 0
    assert [trial.settings["name"] for trial in trials] == ["logit", "lightgbm", "trial-2", "trial-3"]
    assert [trial.state for trial in trials[:2]] == [TrialState.COMPLETE] * 2
    complete = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    assert sorted(gains.columns) == [trial.trial_id for trial in complete]
    for trial in complete:
        assert trial.scores.sessions == len(gains)
        assert trial.scores.log_loss == pytest.approx(trial.progress[-1] if trial.progress else None)
        mean = trial.scores.base_log_loss - trial.scores.log_loss  # type: ignore[operator]
        assert gains[trial.trial_id].mean() == pytest.approx(mean)
        assert trial.scores.auc is not None
        assert 0.4 < trial.scores.auc < 1


def test_a_second_call_does_nothing_and_more_trials_are_added(copied: Path, services_at: ServicesAt) -> None:
    with services_at(copied, AFTERWARDS, never) as services:
        before = sweep(services, WANTED).trials
    with services_at(copied, AFTERWARDS) as services:
        after = sweep(services, replace(WANTED, trials=5)).trials
    assert after[:4] == before
    assert len(after) == 5


def test_an_interrupted_sweep_ends_as_one_that_was_not(copied: Path, services_at: ServicesAt) -> None:
    class Interrupted(BaseException):
        pass

    def interrupted(of: MemberWalk, spec: MemberSpec, months: Sequence[str]) -> Walked:
        walked = walk(of, spec, months)
        if spec.name == "trial-5":
            raise Interrupted
        return walked

    walk = MemberWalk.walk
    more = replace(WANTED, trials=6)
    alone = Path(shutil.copytree(copied, copied.with_name("alone")))
    with services_at(alone, AFTERWARDS) as services:
        expected = sweep(services, more).trials
    with pytest.MonkeyPatch.context() as patch, services_at(copied, AFTERWARDS) as services:
        patch.setattr(MemberWalk, "walk", interrupted)
        with pytest.raises(Interrupted):
            sweep(services, more)
    with services_at(copied, AFTERWARDS) as services:
        with reading(services.engine) as conn:
            assert [trial.state for trial in read_trials(conn)][5:] == [TrialState.RUNNING]
            assert number_of_trials(conn) == 5
        assert outcome_of(sweep(services, more).trials) == outcome_of(expected)


def test_a_trial_forecasts_what_the_member_forecasts_in_a_backtest(copied: Path, services_at: ServicesAt) -> None:
    query = text(
        "SELECT symbol, session, probability FROM member_forecasts WHERE member = 'logit' AND label = 'gap' "
        "AND origin = 'backtest' ORDER BY symbol, session"
    )
    config = copied / "config.toml"
    config.write_text(re.sub(r'  \{ (name = "small"|preset = "lightgbm").*\n', "", config.read_text()))
    with services_at(copied, AFTERWARDS) as services:
        backtest(services, first=date(2021, 9, 1), last=date(2021, 9, 30))
        with reading(services.engine) as conn:
            stored = pd.DataFrame(conn.execute(query).all())
        walk = open_study(services, WANTED).walk
        walked = walk.walk(LogitSpec(penalty=10), ["2021-09"])
    said = pd.DataFrame(walked.said.probability, list(walked.said.symbols), walked.said.sessions).stack()
    np.testing.assert_allclose(said.to_numpy(), stored["probability"], atol=2e-9)
    assert len(losses_of(walked)) == stored["session"].nunique()


@pytest.mark.parametrize("label", ["gap", "barrier"])
def test_the_base_rate_is_that_of_what_the_months_model_learnt_from(
    label: str, copied: Path, services_at: ServicesAt
) -> None:
    with services_at(copied, AFTERWARDS) as services:
        walk = open_study(services, replace(WANTED, label=label)).walk
        walked = walk.walk(LogitSpec(), ["2021-08"])
    panel = walk.desk.panel
    learnt = np.asarray((panel.sessions >= pd.Timestamp("2019-08-01")) & (panel.sessions < pd.Timestamp("2021-08-01")))
    if label == "barrier":
        learnt[np.flatnonzero(learnt)[-2:]] = False  # held for three sessions: not known on the first of August
    outcomes = panel.labels[:, learnt, LABELS.index(label)]
    ups, known = np.nansum(outcomes), np.isfinite(outcomes).sum()
    assert np.unique(walked.base.probability.round(12)).tolist() == [round(float((ups + 0.5) / (known + 1)), 12)]


def test_the_months_of_all_looks_are_the_range_and_each_look_has_those_before(
    copied: Path, services_at: ServicesAt
) -> None:
    with services_at(copied, AFTERWARDS) as services:
        study = open_study(services, replace(WANTED, first=date(2020, 10, 1)))
        looks = [study.look(number) for number in range(study.looks)]
    assert sorted(looks[-1]) == [f"{month}" for month in pd.period_range("2020-10", "2021-09", freq="M")]
    assert len(looks) == 3
    for before, after in pairwise(looks):
        assert after[: len(before)] == before


def test_months_of_one_model_are_looked_at_together(copied: Path, services_at: ServicesAt) -> None:
    config = copied / "config.toml"
    config.write_text(config.read_text().replace("[ensemble]\n", '[ensemble]\nretrain = "quarterly"\n'))
    with services_at(copied, AFTERWARDS) as services:
        study = open_study(services, replace(WANTED, first=date(2020, 10, 1)))
        for part in study.walk.parts(4, seed=1):
            assert len({pd.Period(month, "M").asfreq("Q") for month in part}) == 1
            assert len(part) == 3


def hold_out(folder: Path, since: str) -> None:
    config = folder / "config.toml"
    config.write_text(config.read_text() + f"\n[evaluation]\nholdout_from = {since}\n")


def test_what_is_held_out_is_neither_scored_nor_in_the_panel(copied: Path, services_at: ServicesAt) -> None:
    hold_out(copied, "2021-09-10")
    with services_at(copied, AFTERWARDS) as services:
        study = sweep(services, replace(WANTED, trials=1))
        with reading(services.engine) as conn:
            gains = read_performance(conn, "gap", study=study.name)
    assert study.walk.desk.panel.sessions[-1] == study.walk.sessions[-1] == pd.Timestamp("2021-09-09")
    assert gains.index[-1] == pd.Timestamp("2021-09-09")
    assert study.trials[0].last_session == date(2021, 9, 9)


def test_no_bar_of_the_hold_out_changes_a_trial(copied: Path, services_at: ServicesAt) -> None:
    hold_out(copied, "2021-09-10")
    other = Path(shutil.copytree(copied, copied.with_name("other")))
    for path in (other / "bars").glob("*.csv"):
        bars = pd.read_csv(path, index_col="Date")
        bars.loc["2021-09-10":, ["Open", "High", "Low", "Close", "Adj Close"]] *= 1.07
        bars.to_csv(path)
    for state in (copied / "state", other / "state"):
        shutil.rmtree(state)
    wanted = replace(WANTED, label="barrier", first=date(2021, 9, 1), trials=2)  # its outcomes reach ahead
    found = []
    for folder in (copied, other):
        with services_at(folder, AFTERWARDS) as services:
            found.append(outcome_of(sweep(services, wanted).trials))
    assert found[0] == found[1]
    assert found[0][0].scores.sessions == 5  # of seven, the last two are not known before the hold-out


def test_a_range_inside_the_hold_out_is_refused(copied: Path, services_at: ServicesAt) -> None:
    hold_out(copied, "2021-07-01")
    with services_at(copied, AFTERWARDS) as services, pytest.raises(DaemonError, match="--from 2021-07-01 lies in the"):
        sweep(services, WANTED)


def test_a_trial_that_can_not_be_trained_is_kept_as_failed_and_many_end_the_sweep(
    copied: Path, services_at: ServicesAt, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(study: Study, trial: Trial) -> Any:
        raise TrainingFailed(f"member {trial.settings['name']} was not trained: out of memory")

    monkeypatch.setattr(daemon.sweeps.sweep, "_walked", fails)
    with services_at(copied, AFTERWARDS) as services:
        with pytest.raises(TrainingFailed, match="member trial-6"):
            sweep(services, replace(WANTED, trials=20))
        with reading(services.engine) as conn:
            trials = read_trials(conn)
            assert number_of_trials(conn) == 4
        assert [trial.state for trial in trials[4:]] == [TrialState.FAILED] * 3
        assert trials[-1].detail == "member trial-6 was not trained: out of memory"
    monkeypatch.undo()
    with services_at(copied, AFTERWARDS) as services:
        assert [trial.state for trial in open_study(services, WANTED).trials] == [one.state for one in trials[:4]]


def test_a_first_trial_that_can_not_be_trained_ends_no_sweep_and_where_all_fail_it_says_so(
    copied: Path, services_at: ServicesAt, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(study: Study, trial: Trial) -> Any:
        if trial.number == 0:
            raise TrainingFailed("out of memory")
        return walked(study, trial)

    walked = daemon.sweeps.sweep._walked
    monkeypatch.setattr(daemon.sweeps.sweep, "_walked", fails)
    anew = replace(WANTED, first=date(2021, 9, 1), trials=2)
    with services_at(copied, AFTERWARDS) as services:
        with pytest.raises(TrainingFailed, match="out of memory"):
            sweep(services, replace(anew, trials=1))
        states = [trial.state for trial in sweep(services, anew).trials]
        assert states == [TrialState.FAILED, TrialState.COMPLETE]
        assert [trial.state for trial in sweep(services, anew).trials] == states


def tried_network(services: Services) -> Study:
    """A study of one trial, a small network that is trained for one month."""
    study = open_study(services, replace(WANTED, first=date(2021, 9, 1)))
    small = LstmSpec(name="small", units=(4,), sequence_steps=10, warmup_steps=2, epochs=2)
    study.walk.walk(small, study.look(0))
    trial = replace(study.begun(0), settings=small.model_dump(mode="json"), state=TrialState.PRUNED, progress=[0.7])
    study.trials.append(trial)
    return study


@pytest.fixture
def of_networks(copied: Path) -> Path:
    """Where networks are searched."""
    config = copied / "config.toml"
    config.write_text(config.read_text().replace('kinds = ["logit", "lightgbm"]\n', 'kinds = ["lstm"]\n'))
    return copied


def test_the_results_are_files_with_every_trial_and_every_training_curve(
    of_networks: Path, services_at: ServicesAt, tmp_path: Path
) -> None:
    with services_at(of_networks, AFTERWARDS) as services:
        study = tried_network(services)
        paths = write_results(study, None, tmp_path / "made" / "here")
    assert [path.name for path in paths] == [
        "hyperparameter_results.json",
        "hyperparameter_results.csv",
        "training_history.csv",
    ]
    results = json.loads(paths[0].read_text())
    assert results["trials"][0]["settings"] == study.trials[0].settings
    assert results["selection"] is None
    table = pd.read_csv(paths[1])[["number", "name", "state", "lstm.width", "lstm.epochs"]]
    assert table.to_numpy().tolist() == [[0, "small", "pruned", 4, 2]]
    curves = pd.read_csv(paths[2])
    assert curves[["trial", "month", "seed", "epoch"]].to_numpy().tolist() == [
        [0, "2021-09", seed, epoch] for seed in (0, 1) for epoch in (1, 2)
    ]
    assert np.isfinite(curves["loss"]).all()


def test_the_curve_of_a_part_that_is_gone_is_left_out_of_the_results(
    of_networks: Path, services_at: ServicesAt, tmp_path: Path
) -> None:
    with services_at(of_networks, AFTERWARDS) as services:
        study = tried_network(services)
        spec = spec_in(study.trials[0])
        shutil.rmtree(services.models.part_folder(study.walk.factory(spec).member_keys("2021-09")["small"][0]))
        *_, history = write_results(study, None, tmp_path / "made")
    curves = pd.read_csv(history)
    assert curves[["trial", "month", "seed", "epoch"]].to_numpy().tolist() == [
        [0, "2021-09", 1, 1],
        [0, "2021-09", 1, 2],
    ]


def test_a_sweep_without_networks_has_an_empty_table_of_curves(
    copied: Path, services_at: ServicesAt, tmp_path: Path
) -> None:
    with services_at(copied, AFTERWARDS, never) as services:
        study = sweep(services, WANTED)
        write_results(study, selection_of(study), tmp_path)
    assert pd.read_csv(tmp_path / "training_history.csv").empty
    table = pd.read_csv(tmp_path / "hyperparameter_results.csv")
    assert table["name"].tolist() == ["logit", "lightgbm", "trial-2", "trial-3"]
    assert table.loc[1, "lightgbm.rounds"] == 150


def test_the_command_shows_the_trials_and_what_is_left_of_the_best(copied: Path) -> None:
    asked = ["sweep", "--from", "2021-07-01", "--to", "2021-09-30", "--label", "gap", "--trials", "4", "--now"]
    program = Path(sys.executable).with_name("reliance-daemon")
    command = [str(program), "--config", str(copied / "config.toml"), *asked, "2021-12-31T14:30:00Z"]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert shown.returncode == 0, shown.stderr
    for expected in (
        "gap, 2021-07-01 to 2021-09-30: 4 trials, out of sample",
        "lightgbm: rounds 150",
        "Chosen from 4 trials ever made for this label",
        "Deflated Sharpe ratio",
        "Hansen's SPA",
        "Probability of backtest overfitting",
        "hyperparameter_results.csv",
    ):
        assert expected in shown.stdout
    (folder,) = (copied / "state" / "sweeps").iterdir()
    results = json.loads((folder / "hyperparameter_results.json").read_text())
    assert results["study"] == folder.name
    assert results["selection"]["deflated"]["trials"] == 4
