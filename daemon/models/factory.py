"""The model of a month: trains what is missing, lets later data choose the combiner, publishes the version.

Everything is kept by what it was made from, so a second run trains nothing, nor does another threshold; a new month
trains one month, and a corrected bar those months whose window holds it (`ensemble.bar_ratios` tells a correction from
a restatement). What is asked for is the model of the bars as they are now. So a backtest follows every correction. The
live daemon asks when a month begins, and trains again what of its history has changed since; within the month the model
that is published serves on, whatever is corrected, because training in the middle would make the decision late. Only a
backtest that reaches into the month after a correction publishes a newer one, which serves from then on.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from loguru import logger

from daemon.console.progress import Progress
from daemon.models.drift import forecast_shape_files, shape_files
from daemon.models.early import MARK, Early
from daemon.models.golden import make_golden
from daemon.models.loading import Keys, load_members
from daemon.training.combining import CombinerTask, Fit, fit_here, fitted
from daemon.training.trainer import OutOfTime, no_hurry, train_parts
from daemon.training.workers import WorkerOptions
from daemon.versions import library_versions
from ensemble.arrays import Floats
from ensemble.bar_ratios import BarDigests
from ensemble.labels import LABELS, label_horizon
from ensemble.members.fitted import pack_arrays, unpack_arrays
from ensemble.members.specs import MemberSpec
from ensemble.members.tasks import TrainingTask, task_key
from ensemble.model import EnsembleOptions, member_odds, with_conditions
from ensemble.panel import Panel
from ensemble.stacking.combiner import Combiner, load_combiner
from ensemble.stacking.history import History, MemberOdds
from ensemble.trading.limits import RiskLimits
from ensemble.windows import (
    Fold,
    WindowError,
    check_window,
    known_labels,
    month_of,
    months_before,
    training_window,
)
from storage.model_folder import manifest_keys
from storage.model_store import DamagedPart, ModelStore
from storage.record_store import records_of


@dataclass(frozen=True, slots=True)
class Recipe:
    """All that a model depends on, besides the bars."""

    ensemble: EnsembleOptions
    limits: RiskLimits
    inputs: str
    """What the panel is built from: symbols, peers, context, decision time; any text that changes with them."""
    code_version: str
    """Of all that makes a model, for people to read."""
    training_version: str
    """Of all that a member is trained by; what only the stack does is not in it."""

    def digest(self) -> str:
        """Short digest: two models of one month and one history with equal digests were made alike."""
        ensemble = self.ensemble.model_dump(mode="json")
        return _digest([ensemble, self._barrier(), self.inputs, self.code_version])[:12]

    def question(self) -> str:
        """Short digest of what is asked, and from which inputs: equal ones can serve in each other's place.

        Members, stack and code may differ.
        """
        return _digest([self._barrier(), self.inputs])[:12]

    def member_keys(self, spec: MemberSpec, bars: str) -> list[str]:
        """The keys of a member's parts, one a seed, trained on the window whose bars have that digest."""
        window = _digest([self._barrier(), self.inputs, bars])
        return [
            task_key(spec, number, window_digest=window, code_version=self.training_version)
            for number in range(spec.seeds)
        ]

    def _barrier(self) -> dict[str, Any]:
        return self.limits.model_dump(include={"stop_loss_pct", "take_profit_pct", "max_holding_sessions"})


@dataclass(frozen=True, slots=True)
class Planned:
    """A month of the plan, and under which keys its members and their forecasts are or will be kept."""

    fold: Fold
    keys: Keys
    """In the order of the configuration, which is the order of the stack's columns."""
    bars: str
    """Digest of those that its members learn from."""
    forecasts: str
    is_early: bool = False
    """Its window ends within the month that it is for: no later month needs its members."""


@dataclass(frozen=True, slots=True)
class Sources:
    """What a version is made from."""

    planned: Planned
    """Its members' window."""
    history: tuple[Planned, ...]
    """Whose forecasts its stack learns from, the oldest first."""

    @property
    def rows(self) -> slice:
        """From the first that a member of its history learnt from to the last that was known."""
        oldest = self.history[0] if self.history else self.planned
        return slice(oldest.fold.train.start, self.planned.fold.test.start)


@dataclass(frozen=True)
class ModelFactory:
    """Makes the models of any month of one panel; what was trained once, for whichever month, is not trained again."""

    panel: Panel
    bars: BarDigests
    recipe: Recipe
    store: ModelStore
    workers: WorkerOptions
    progress: Progress
    out_of_time: OutOfTime = no_hurry
    fit: Fit = fit_here
    _planned: dict[str, Planned | WindowError] = field(default_factory=dict)

    def publish(self, month: str, *, parent: str | None = None, early: Early | None = None) -> str:
        """Trains, combines and publishes the model of `month`; returns its id. Raises WindowError, TrainingFailed.

        `parent` is the version before it, for the record; where it is `early`, all that was known by then teaches it.

        A part that turns out to be damaged was moved aside by then, and is made again.
        """
        met = set[str]()
        while True:
            try:
                return self._publish(self._sources(month, early), parent, early)
            except DamagedPart as error:
                if str(error) in met:  # it can't be moved
                    raise
                met.add(str(error))
                logger.error("{} It is made again.", error)

    def _publish(self, sources: Sources, parent: str | None, early: Early | None) -> str:
        self._train([*sources.history, sources.planned])
        manifest = self._manifest(sources) | {"history_months": len(sources.history), "parent": parent}
        if early is not None:
            manifest[MARK] = early.stated()
        keys = sorted(manifest_keys(manifest))
        for key in keys:
            self.store.get_part(key)  # a damaged one is made again, not published
        parts = {key: self.store.part_digest(key) for key in keys}
        return self.store.publish(manifest | {"parts": parts})

    def train(self, months: Sequence[str]) -> None:
        """Trains the members that the models of `months` and their histories miss. Raises as `publish` does."""
        planned = [one for month in months for one in (*self._history_months(month), self._plan(month))]
        self._train(list({one.fold.month: one for one in planned}.values()))

    def train_members(self, months: Sequence[str]) -> None:
        """Trains what the members of `months` alone miss, without their histories. Raises as `publish` does."""
        self._train([self._plan(month) for month in months])

    def member_keys(self, month: str) -> Keys:
        """Under which keys the trained members of `month` are kept. Raises WindowError."""
        return self._plan(month).keys

    def tasks(self, month: str) -> list[tuple[Fold, TrainingTask]]:
        """The trainings that the model of `month` and its history miss, with the fold each is for."""
        months = (*self._history_months(month), self._plan(month))
        return [(one.fold, task) for one in months for task in self._tasks(one)]

    def fold(self, month: str) -> Fold:
        """The month's rows, and those that its members learn from. Raises WindowError."""
        return self._plan(month).fold

    def bars_digest(self, month: str) -> str:
        """Of all bars that the model of `month` is made from, its history's windows included. Raises WindowError."""
        return self.bars.digest(self._sources(month).rows)

    def month_odds(self, month: str, *, trained_for: str | None = None) -> tuple[slice, MemberOdds]:
        """The rows of `month`, and what its trained members say about them, made once. Raises ModelStoreError.

        Of the members that were trained for another month where that is `trained_for`.
        """
        planned, names = self._plan(month), tuple(spec.name for spec in self.recipe.ensemble.members)
        keys, rows = self._plan(trained_for or month).keys, planned.fold.test
        if keys == planned.keys:
            odds = self._odds(planned)
        else:
            odds = self._kept_odds(replace(planned, keys=keys, forecasts=self._forecasts_key(keys, planned.fold)))
        return rows, with_conditions(names, odds, self.panel, rows)

    def history(self, month: str) -> History:
        """What the stack of `month` learns from: the trained members' forecasts of the months before, out of sample."""
        return self._history(self._sources(month).history)

    def _manifest(self, sources: Sources) -> dict[str, Any]:
        planned, fold, combiner_key = sources.planned, sources.planned.fold, self._combiner(sources)
        combiner = load_combiner(self.store.get_part(combiner_key))
        return {
            "month": fold.month,
            "recipe": self.recipe.digest(),
            "question": self.recipe.question(),
            "code_version": self.recipe.code_version,
            "libraries": library_versions(),
            "bars": self.bars.digest(sources.rows),
            "symbols": list(self.panel.symbols),
            "labels": list(LABELS),
            "features": list(self.panel.features),
            "trained_from": f"{self.panel.sessions[fold.train.start]:%Y-%m-%d}",
            "trained_to": f"{self.panel.sessions[fold.train.stop - 1]:%Y-%m-%d}",
            "members": [[name, list(keys)] for name, keys in planned.keys.items()],  # in the stack's order
            "seeds": {name: [int(key[:8], 16) for key in keys] for name, keys in planned.keys.items()},  # `fit_member`
            "combiner": combiner_key,
            "golden": self._golden(sources, combiner_key, combiner),
            "combine": self.recipe.ensemble.stack.combine,
            "methods": combiner.methods(),
            "verdicts": combiner.verdicts(),
        }

    def _sources(self, month: str, early: Early | None = None) -> Sources:
        """Of the version of `month`. Raises WindowError."""
        history = tuple(self._history_months(month))
        if early is None:
            return Sources(self._plan(month), history)
        row = int(self.panel.sessions.searchsorted(pd.Timestamp(early.session)))
        return Sources(self._early_plan(month, row), (*history, *self._months_so_far(month, row)))

    def _early_plan(self, month: str, row: int) -> Planned:
        """Of a window that ends before `row`, which lies within `month`; as `WalkForward.fold` cuts that of a month."""
        ensemble, sessions = self.recipe.ensemble, self.panel.sessions
        begin = int(sessions.searchsorted(sessions[row] - pd.DateOffset(years=ensemble.window_years)))
        fold = Fold(month, slice(begin, max(row - ensemble.embargo_sessions, begin)), slice(row, row))
        return replace(self._planned_for(fold), is_early=True)

    def _months_so_far(self, month: str, row: int) -> list[Planned]:
        """From `month` on, as far as they lie before `row`: what the version that an early one follows would say."""
        months = []
        for one in pd.period_range(month, month_of(self.panel.sessions[row - 1]), freq="M"):
            planned = self._plan(str(one))
            fold = replace(planned.fold, test=slice(planned.fold.test.start, min(planned.fold.test.stop, row)))
            months.append(replace(planned, fold=fold, forecasts=self._forecasts_key(planned.keys, fold)))
        return months

    def _history_months(self, month: str) -> list[Planned]:
        """The months that a stack may learn from: as many as are asked for, fewer where the bars begin."""
        months: list[Planned] = []
        for earlier in months_before(month, self.recipe.ensemble.stack.history_months):
            try:
                months.append(self._plan(earlier))
            except WindowError:
                months.clear()
        return months

    def _plan(self, month: str) -> Planned:
        """The month's fold and keys, worked out once. Raises WindowError."""
        if month not in self._planned:
            try:
                self._planned[month] = self._worked_out(month)
            except WindowError as error:
                self._planned[month] = error
        planned = self._planned[month]
        if isinstance(planned, WindowError):
            raise planned
        return planned

    def _worked_out(self, month: str) -> Planned:
        return self._planned_for(self.recipe.ensemble.fold(self.panel.sessions, month))

    def _planned_for(self, fold: Fold) -> Planned:
        ensemble, window = self.recipe.ensemble, training_window(self.panel, fold, self.recipe.limits)
        check_window(window, fold.month, min_sessions=ensemble.min_sessions)
        bars = self.bars.digest(fold.train)
        keys = {spec.name: self.recipe.member_keys(spec, bars) for spec in ensemble.members}
        return Planned(fold, keys, bars, self._forecasts_key(keys, fold))

    def _forecasts_key(self, keys: Keys, fold: Fold) -> str:
        """Under which key the members' forecasts of the fold's test rows are kept."""
        # A sequence reaches back before the test rows, but never before the window.
        read = self.bars.digest(slice(fold.train.start, fold.test.stop))
        return _digest(["forecasts", list(keys.items()), fold.month, read, self.recipe.code_version])

    def _train(self, months: Sequence[Planned]) -> None:
        """Trains what is missing. What will be needed is recorded before, so that no clean-up takes half a training."""
        missing: dict[str, TrainingTask] = {}  # two months of one model need the same
        for month in months:
            if not month.is_early:
                self._record(month)
            missing.update((task.key, task) for task in self._tasks(month) if task.key not in missing)
        train_parts(
            list(missing.values()),
            self.store,
            workers=self.workers,
            progress=self.progress,
            out_of_time=self.out_of_time,
        )

    def _tasks(self, month: Planned) -> list[TrainingTask]:
        specs = {key: spec for spec in self.recipe.ensemble.members for key in month.keys[spec.name]}
        needed = [key for key in specs if not self.store.has_part(key)]
        if not needed:
            return []
        window = training_window(self.panel, month.fold, self.recipe.limits)
        return [TrainingTask(specs[key], window, key) for key in needed]

    def _record(self, planned: Planned) -> None:
        """Notes which parts serve the month: what `cache list` shows and `cache prune` keeps."""
        month, recipe = planned.fold.month, self.recipe.digest()
        parts = {"members": dict(planned.keys), "forecasts": planned.forecasts}
        record = {"month": month, "recipe": recipe, "bars": planned.bars} | parts
        records_of(self.store).put(f"{month}-{recipe}.json", json.dumps(record, sort_keys=True).encode())

    def _odds(self, planned: Planned) -> Floats:
        """The same as `_kept_odds`, and recorded as what the month is forecast by."""
        there = self.store.has_part(planned.forecasts)
        odds = self._kept_odds(planned)
        if not there:
            self._record(planned)  # a month that has grown has other forecasts than it was recorded with
        return odds

    def _kept_odds(self, planned: Planned) -> Floats:
        """Members' log-odds of the fold's test rows, made once. Raises ColumnMismatch when other members are stored."""
        if not self.store.has_part(planned.forecasts):
            odds = member_odds(load_members(self.store, planned.keys), self.panel, planned.fold.test)
            self.store.put_part(planned.forecasts, {"odds.npz": pack_arrays({"log_odds": odds.log_odds})})
        stored = unpack_arrays(self.store.get_part(planned.forecasts)["odds.npz"])["log_odds"]
        return with_conditions(tuple(planned.keys), stored, self.panel, planned.fold.test).log_odds

    def _combiner(self, sources: Sources) -> str:
        """Key of the version's combiner, fitted if it is not there yet."""
        forecasts, month = [one.forecasts for one in sources.history], sources.planned.fold.month
        key = _digest(["combiner", month, self.recipe.digest(), self.bars.digest(sources.rows), forecasts])
        if not self.store.has_part(key):
            stack, seed = self.recipe.ensemble.stack, _seed(key)
            task = CombinerTask(self._history(sources.history), stack, seed)
            self.store.put_part(key, fitted(task, self.workers.limits, self.fit))
        return key

    def _golden(self, sources: Sources, combiner_key: str, combiner: Combiner) -> str:
        """Key of the part that it is checked by: golden input, and how its features and forecasts were distributed."""
        planned = sources.planned
        key = _digest(["golden", list(planned.keys.items()), combiner_key, self.recipe.code_version])
        if not self.store.has_part(key):
            members, row = load_members(self.store, planned.keys), planned.fold.train.stop - 1
            seen = self.recipe.ensemble.rows_seen
            golden = make_golden(members, combiner, self.panel, row=row, rows_seen=seen)
            said = forecast_shape_files(combiner, self._said(sources.history, combiner), seed=_seed(key))
            self.store.put_part(key, {**golden, **shape_files(self.panel.values[:, planned.fold.train]), **said})
        return key

    def _said(self, months: Sequence[Planned], combiner: Combiner) -> Floats:
        """What the combiner makes of its own history, NaN where nothing would be said: symbols, sessions, labels."""
        history = self._history(months)
        rows = self.panel.sessions.get_indexer(history.sessions)
        known = self.panel.bar_age[:, rows] >= 0
        return np.where(known[..., None], combiner.log_odds(history.odds), np.nan)

    def _history(self, months: Sequence[Planned]) -> History:
        """The months' out-of-sample forecasts, one after the other; empty without months."""
        folds = [month.fold for month in months]
        names = tuple(spec.name for spec in self.recipe.ensemble.members)
        rows = slice(folds[0].test.start, folds[-1].test.stop) if folds else slice(0, 0)
        nothing = np.empty((len(names), len(self.panel.symbols), 0, len(LABELS)))
        log_odds = np.concatenate([nothing, *(self._odds(month) for month in months)], axis=2)
        return History(
            with_conditions(names, log_odds, self.panel, rows),
            self.panel.sessions[rows],
            known_labels(self.panel, rows, before=rows.stop, limits=self.recipe.limits),
            month=np.repeat(np.arange(len(folds)), [fold.test.stop - fold.test.start for fold in folds]),
            ends=tuple(label_horizon(label, self.recipe.limits) for label in LABELS),
        )


def _seed(key: str) -> int:
    return int(key[:8], 16) % 2**31


def _digest(content: object) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
