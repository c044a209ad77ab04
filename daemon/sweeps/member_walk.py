"""One member walked forward through past months by itself: what each of its trials in a sweep is scored on."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from daemon.console.progress import Progress
from daemon.models.factory import ModelFactory
from daemon.sessions.desk import Desk
from daemon.sweeps.trial_scores import Walked
from ensemble.arrays import Floats, Integers
from ensemble.evaluation.scored import Scored
from ensemble.labels import LABELS, label_horizon
from ensemble.members.rows import base_log_odds
from ensemble.members.specs import MemberSpec
from ensemble.windows import month_of, training_window
from storage.model_store import ModelStoreError


@dataclass(frozen=True)
class MemberWalk:
    """The months of a range, and the panel that members are tried on; it holds no session after the range."""

    desk: Desk
    label: str
    sessions: pd.DatetimeIndex
    progress: Progress
    _base_odds: dict[str, float] = field(default_factory=dict)

    def parts(self, count: int, *, seed: int) -> list[list[str]]:
        """The months in at most `count` parts, each spread over the range; months of one model stay together."""
        serving = self.desk.services.settings.ensemble.serving
        served: dict[str, list[str]] = {}
        for month in dict.fromkeys(month_of(session) for session in self.sessions):
            served.setdefault(serving(month), []).append(month)
        order = np.random.default_rng(seed).permutation(len(served))
        groups = [list(served.values())[place] for place in order]
        parts = np.array_split(np.arange(len(groups)), min(count, len(groups)))
        return [[month for place in part for month in groups[place]] for part in parts]

    def walk(self, spec: MemberSpec, months: Sequence[str]) -> Walked:
        """The member's forecasts for `months`, trained where it is not yet. Raises TrainingFailed, WindowError."""
        factory = self.factory(spec)
        factory.train_members(months)
        blocks = [self._month(factory, month) for month in sorted(months)]
        rows = np.concatenate([rows for rows, _, _ in blocks])
        said, base = (np.concatenate([block[place] for block in blocks], axis=1) for place in (1, 2))
        asked = np.flatnonzero(self.desk.panel.sessions[rows].isin(self.sessions))
        return Walked(self._scored(rows[asked], said[:, asked]), self._scored(rows[asked], base[:, asked]))

    def factory(self, spec: MemberSpec) -> ModelFactory:
        """Makes the models of an ensemble of this member alone."""
        recipe = self.desk.services.recipe()
        alone = replace(recipe, ensemble=recipe.ensemble.model_copy(update={"members": (spec,)}))
        return replace(self.desk.factory, recipe=alone, progress=self.progress, _planned={})

    def histories(self, spec: MemberSpec, months: Sequence[str]) -> Mapping[tuple[str, int], bytes]:
        """(month, number of the seed) -> the training curve of what serves it, as CSV; of networks still there."""
        factory, store = self.factory(spec), self.desk.services.models
        kept: dict[tuple[str, int], bytes] = {}
        for month in months:
            for number, key in enumerate(factory.member_keys(month)[spec.name]):
                with suppress(ModelStoreError, KeyError):  # pruned, or of bars since corrected; or no network
                    kept[month, number] = store.get_part(key)["history.csv"]
        return kept

    def _month(self, factory: ModelFactory, month: str) -> tuple[Integers, Floats, Floats]:
        """Its rows, the member's forecasts and the base rate; NaN where there is no bar to forecast from."""
        rows, odds = factory.month_odds(month)
        said = np.exp(-np.logaddexp(0, -odds.log_odds[0, :, :, LABELS.index(self.label)]))
        base = np.full_like(said, self._base_rate(factory, month))
        known = self.desk.panel.bar_age[:, rows] >= 0
        return np.arange(rows.start, rows.stop), np.where(known, said, np.nan), np.where(known, base, np.nan)

    def _base_rate(self, factory: ModelFactory, month: str) -> float:
        """The share of ups among the labels that the month's model learns from."""
        if month not in self._base_odds:
            window = training_window(
                self.desk.panel, factory.fold(month), self.desk.services.settings.labels.barrier.limits
            )
            labels = window.labels[:, :, LABELS.index(self.label)].astype(np.float64)
            self._base_odds[month] = base_log_odds(labels[np.isfinite(labels)])
        return float(1 / (1 + np.exp(-self._base_odds[month])))

    def _scored(self, rows: Integers, probability: Floats) -> Scored:
        panel, place = self.desk.panel, LABELS.index(self.label)
        return Scored(
            self.label,
            panel.sessions[rows],
            panel.symbols,
            probability,
            panel.labels[:, rows, place].astype(np.float64),
            label_horizon(self.label, self.desk.services.settings.labels.barrier.limits) + 1,
        )
