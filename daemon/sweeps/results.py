"""The results of a sweep as files: hyperparameter_results.json and .csv, and training_history.csv."""

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from daemon.errors import DaemonError
from daemon.sweeps.study import Study, spec_in
from ensemble.evaluation.search_space import params_of
from ensemble.evaluation.selection import Selection, select
from ensemble.labels import label_horizon
from ensemble.members.curve import COLUMNS, unpack_curve
from storage.engine import reading
from storage.trial_store import Trial, TrialScores, number_of_trials, read_performance

RESULTS_JSON, RESULTS_CSV, HISTORY_CSV = (
    "hyperparameter_results.json",
    "hyperparameter_results.csv",
    "training_history.csv",
)


def selection_of(study: Study) -> Selection | None:
    """The study's best trial, discounted for all that were ever made for its label; None without a complete one."""
    label, limits = study.wanted.label, study.services.settings.labels.barrier.limits
    with reading(study.services.engine) as conn:
        gains = read_performance(conn, label, study=study.name)
        trials = number_of_trials(conn, label)
    return select(gains, trials=trials, horizon=label_horizon(label, limits) + 1)


def results_of(study: Study, selection: Selection | None) -> dict[str, Any]:
    """All of it, for JSON: the study, what is left of its best trial, and every trial."""
    held_out = study.services.settings.evaluation.holdout_from
    return {
        "study": study.name,
        "label": study.wanted.label,
        "first_session": study.wanted.first,
        "last_session": study.wanted.last,
        "holdout_from": held_out,
        "options": study.services.settings.sweep.model_dump(mode="json"),
        "selection": None if selection is None else asdict(selection) | {"is_proven": selection.is_proven},
        "trials": [asdict(trial) for trial in study.trials],
    }


def write_results(study: Study, selection: Selection | None, folder: Path) -> tuple[Path, ...]:
    """Writes the three files and returns their paths. Raises DaemonError when the folder cannot be written."""
    paths = tuple(folder / name for name in (RESULTS_JSON, RESULTS_CSV, HISTORY_CSV))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        paths[0].write_text(json.dumps(results_of(study, selection), indent=1, default=str) + "\n", encoding="utf-8")
        _write_table(paths[1], [_result(study, trial) for trial in study.trials])
        _write_table(paths[2], [row for trial in study.trials for row in _history(study, trial)])
    except OSError as error:
        raise DaemonError(f"--out {folder} cannot be written: {error.strerror}; choose another folder.") from error
    return paths


def _result(study: Study, trial: Trial) -> dict[str, Any]:
    seconds = None if trial.finished_at is None else (trial.finished_at - trial.started_at).total_seconds()
    scores = {name: getattr(trial.scores, name) for name in TrialScores.__dataclass_fields__}
    head = {"number": trial.number, "name": trial.settings["name"], "state": str(trial.state)}
    return head | scores | {"seconds": seconds} | params_of(spec_in(trial), study.services.settings.sweep)


def _history(study: Study, trial: Trial) -> Iterator[Mapping[str, Any]]:
    """The training curves of the networks that a trial trained, epoch by epoch."""
    if not trial.progress:
        return
    spec, months = spec_in(trial), sorted(study.look(len(trial.progress) - 1))
    for (month, seed), content in study.walk.histories(spec, months).items():
        for epoch, passed in enumerate(unpack_curve(content), start=1):
            place = {"trial": trial.number, "name": spec.name, "month": month, "seed": seed, "epoch": epoch}
            yield place | asdict(passed)


def _write_table(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """CSV with every column that any row has; what a row lacks is empty."""
    columns = dict.fromkeys(name for row in rows for name in row)
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, list(columns) or ["trial", "name", "month", "seed", *COLUMNS], lineterminator="\n")
        table.writeheader()
        table.writerows(rows)
