"""The model of a month: trains what is missing, lets later data choose the combiner, publishes the version."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from daemon.progress import Progress
from daemon.training import WorkerOptions, train_parts
from ensemble.arrays import Floats
from ensemble.labels import LABELS, label_horizon
from ensemble.members.fitted import pack_arrays, unpack_arrays
from ensemble.members.specs import MemberSpec
from ensemble.members.tasks import TrainingTask, load_member, task_key
from ensemble.model import EnsembleOptions, Members, Model, member_odds, with_conditions
from ensemble.panel import Panel
from ensemble.stacking.combiner import fit_combiner, load_combiner
from ensemble.stacking.history import History
from ensemble.trading.limits import RiskLimits
from ensemble.windows import (
    Fold,
    WalkForward,
    Window,
    WindowError,
    check_window,
    known_labels,
    months_before,
    training_window,
)
from storage.model_store import ModelStore, ModelStoreError

Keys = Mapping[str, Sequence[str]]
"""Member name -> the keys of its trained parts, one a seed."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """All that a model depends on, besides the bars."""

    ensemble: EnsembleOptions
    limits: RiskLimits
    inputs: str
    """What the panel is built from: symbols, peers, context, decision time; any text that changes with them."""
    code_version: str

    def digest(self) -> str:
        """Short digest: two models of one month with equal digests were made alike."""
        return self._digest(self.ensemble.model_dump(mode="json"))

    def member_digest(self, spec: MemberSpec) -> str:
        """The same for one member of a month, whatever stands beside it."""
        ensemble = self.ensemble.model_dump(mode="json", include=set(WalkForward.model_fields))
        return self._digest([spec.model_dump(mode="json"), ensemble])

    def _digest(self, settings: object) -> str:
        barrier = self.limits.model_dump(include={"stop_loss_pct", "take_profit_pct", "max_holding_sessions"})
        content = [settings, barrier, self.inputs, self.code_version]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:12]


@dataclass(frozen=True)
class ModelFactory:
    """Makes the models of any month of one panel; what was trained once, for whichever month, is not trained again."""

    panel: Panel
    recipe: Recipe
    store: ModelStore
    workers: WorkerOptions
    progress: Progress
    _windows: dict[str, tuple[Window, str]] = field(default_factory=dict)

    def publish(self, month: str) -> str:
        """Trains, combines and publishes the model of `month`; returns its id. Raises WindowError, TrainingFailed."""
        history_folds = self._history_folds(month)
        fold = self._fold(month)
        self._train([*history_folds, fold])
        combiner_key = self._combiner(month)
        return self.store.publish(self._manifest(fold, combiner_key) | {"history_months": len(history_folds)})

    def history(self, month: str) -> History:
        """What the stack of `month` learns from: the trained members' forecasts of the months before, out of sample."""
        return self._history(self._history_folds(month))

    def _manifest(self, fold: Fold, combiner_key: str) -> dict[str, Any]:
        combiner = load_combiner(self.store.get_part(combiner_key))
        return {
            "month": fold.month,
            "recipe": self.recipe.digest(),
            "code_version": self.recipe.code_version,
            "symbols": list(self.panel.symbols),
            "labels": list(LABELS),
            "features": list(self.panel.features),
            "trained_from": f"{self.panel.sessions[fold.train.start]:%Y-%m-%d}",
            "trained_to": f"{self.panel.sessions[fold.train.stop - 1]:%Y-%m-%d}",
            "members": [[name, list(keys)] for name, keys in self._keys(fold).items()],  # in the stack's order
            "combiner": combiner_key,
            "combine": self.recipe.ensemble.stack.combine,
            "methods": combiner.methods(),
            "verdicts": combiner.verdicts(),
        }

    def _history_folds(self, month: str) -> list[Fold]:
        """The months that a stack may learn from: as many as are asked for, fewer where the bars begin."""
        folds = []
        for earlier in months_before(month, self.recipe.ensemble.stack.history_months):
            try:
                folds.append(self._fold(earlier))
                self._window(folds[-1])
            except WindowError:
                folds.clear()
        return folds

    def _fold(self, month: str) -> Fold:
        return self.recipe.ensemble.fold(self.panel.sessions, month)

    def _window(self, fold: Fold) -> tuple[Window, str]:
        if fold.month not in self._windows:
            window = training_window(self.panel, fold, self.recipe.limits)
            check_window(window, fold.month, min_sessions=self.recipe.ensemble.min_sessions)
            self._windows[fold.month] = window, window.digest()
        return self._windows[fold.month]

    def _keys(self, fold: Fold) -> Keys:
        """In the order of the configuration, which is the order of the stack's columns."""
        return {
            spec.name: self._trained(spec, fold) or self._to_train(spec, fold) for spec in self.recipe.ensemble.members
        }

    def _trained(self, spec: MemberSpec, fold: Fold) -> list[str]:
        """The parts that the month's member was trained into first, empty when there are none.

        They stay, though the feed restates history: a dividend moves every feature in its seventh digit, which is no
        reason to train two years again, nor to let models speak for the past that were not there.
        """
        record = self._record(spec, fold.month)
        if not self.store.has_part(record):
            return []
        try:
            keys: list[str] = json.loads(self.store.get_part(record)["parts.json"])
        except ModelStoreError:
            return []
        return keys if all(self.store.has_part(key) for key in keys) else []

    def _to_train(self, spec: MemberSpec, fold: Fold) -> list[str]:
        digest, version = self._window(fold)[1], self.recipe.code_version
        return [task_key(spec, number, window_digest=digest, code_version=version) for number in range(spec.seeds)]

    def _record(self, spec: MemberSpec, month: str) -> str:
        return f"{month}-{spec.name}-{self.recipe.member_digest(spec)}"

    def _train(self, folds: Sequence[Fold]) -> None:
        specs = {spec.name: spec for spec in self.recipe.ensemble.members}
        tasks = [
            TrainingTask(specs[name], self._window(fold)[0], key)
            for fold in folds
            for name, keys in self._keys(fold).items()
            for key in keys
            if not self.store.has_part(key)
        ]
        train_parts(tasks, self.store, workers=self.workers, progress=self.progress)
        for fold in folds:
            for name, keys in self._keys(fold).items():
                self.store.put_part(self._record(specs[name], fold.month), {"parts.json": json.dumps(keys).encode()})

    def _odds(self, fold: Fold) -> Floats:
        """Members' log-odds of the fold's test rows, kept in the store by what they were made from."""
        keys = self._keys(fold)
        # A sequence reaches back before the test rows, but never before the window.
        content = json.dumps([list(keys.items()), self.panel.digest(slice(fold.train.start, fold.test.stop))])
        key = hashlib.sha256(content.encode()).hexdigest()
        if not self.store.has_part(key):
            odds = member_odds(load_members(self.store, keys), self.panel, fold.test)
            self.store.put_part(key, {"odds.npz": pack_arrays({"log_odds": odds.log_odds})})
        return unpack_arrays(self.store.get_part(key)["odds.npz"])["log_odds"]

    def _combiner(self, month: str) -> str:
        """Key of the combiner for `month`, fitted if it is not there yet."""
        history = self.history(month)
        stack = self.recipe.ensemble.stack
        columns = [history.odds.members, history.odds.condition_names]
        digest = hashlib.sha256(json.dumps([month, columns, stack.model_dump(), self.recipe.code_version]).encode())
        for array in (history.odds.log_odds, history.odds.conditions, history.labels, history.month):
            digest.update(np.ascontiguousarray(array).tobytes())
        key = digest.hexdigest()
        if not self.store.has_part(key):
            self.store.put_part(key, fit_combiner(history, stack, seed=int(key[:8], 16) % 2**31).files())
        return key

    def _history(self, folds: Sequence[Fold]) -> History:
        """The folds' out-of-sample forecasts, one month after the other; empty without folds."""
        names = tuple(spec.name for spec in self.recipe.ensemble.members)
        rows = slice(folds[0].test.start, folds[-1].test.stop) if folds else slice(0, 0)
        nothing = np.empty((len(names), len(self.panel.symbols), 0, len(LABELS)))
        log_odds = np.concatenate([nothing, *(self._odds(fold) for fold in folds)], axis=2)
        return History(
            with_conditions(names, log_odds, self.panel, rows),
            self.panel.sessions[rows],
            known_labels(self.panel, rows, before=rows.stop, limits=self.recipe.limits),
            month=np.repeat(np.arange(len(folds)), [fold.test.stop - fold.test.start for fold in folds]),
            ends=tuple(label_horizon(label, self.recipe.limits) for label in LABELS),
        )


def load_members(store: ModelStore, keys: Keys) -> Members:
    """The trained members from their parts. Raises ModelStoreError."""
    return {name: [load_member(store.get_part(key)) for key in seeds] for name, seeds in keys.items()}


def set_damaged_aside(store: ModelStore, model_id: str) -> None:
    """Reads every part of a model, so that the damaged ones count as missing and are made again."""
    manifest = store.manifest(model_id)
    for key in (manifest["combiner"], *(key for _, keys in manifest["members"] for key in keys)):
        with suppress(ModelStoreError):
            store.get_part(key)


def load_model(store: ModelStore, model_id: str) -> Model:
    """A published model, ready to forecast. Raises ModelStoreError when any part is missing or damaged."""
    manifest = store.manifest(model_id)
    combiner = load_combiner(store.get_part(manifest["combiner"]))
    return Model(model_id, load_members(store, dict(manifest["members"])), combiner)
