"""Learners that tell: real ones that note what they made, and dyed ones that note what they were given.

A dyed panel has, in place of each feature, the number of its row, and in place of each label the number of the row
whose close makes it known. Whatever is handed to a learner then says by itself how far into the future it reaches,
however it got there.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ensemble.arrays import Reals
from ensemble.labels import LABELS, label_horizon
from ensemble.members.fitted import Files, FittedMember
from ensemble.members.logit import Logit
from ensemble.members.scaling import Scaler
from ensemble.members.tasks import TrainingTask, fit_member, load_member
from ensemble.panel import Panel
from ensemble.stacking.combiner import Combiner, LabelCombiner, StackOptions, fit_combiner
from ensemble.stacking.history import History
from ensemble.stacking.venn_abers import VennAbers
from ensemble.stacking.voices import Voices
from ensemble.trading.limits import RiskLimits
from ensemble.windows import Fold

BEFORE_ALL = -1.0
"""The dye of what saw nothing."""


@dataclass(frozen=True)
class NotingLearners:
    """Trains for real, with seeds that depend on member and month alone, so that two worlds can be compared."""

    stack: StackOptions
    made: dict[str, str] = field(default_factory=dict)
    """Name of each fitted object -> digest of its content."""
    members: dict[str, FittedMember] = field(default_factory=dict)
    combiners: dict[str, Combiner] = field(default_factory=dict)
    """Month -> its combiner."""

    def member(self, task: TrainingTask, fold: Fold) -> FittedMember:
        """Trained here and now, in this process."""
        name = f"{task.spec.name} of {fold.month}"
        files = fit_member(replace(task, key=_digest({"name": name.encode()})))
        self.made[f"member {name}"] = _digest(files)
        self.members[name] = load_member(files)
        return self.members[name]

    def combiner(self, history: History, fold: Fold) -> Combiner:
        """Fitted here and now."""
        fitted = fit_combiner(history, self.stack, seed=0)
        self.made[f"combiner of {fold.month}"] = _digest(fitted.files())
        self.combiners[fold.month] = fitted
        return fitted


@dataclass(frozen=True)
class KnownLearners:
    """Trains nothing: gives what `source` made for the same member and month, whatever is to be learned from."""

    source: NotingLearners

    def member(self, task: TrainingTask, fold: Fold) -> FittedMember:
        """As in the source; a month that the source had not is trained."""
        name = f"{task.spec.name} of {fold.month}"
        return self.source.members[name] if name in self.source.members else self.source.member(task, fold)

    def combiner(self, history: History, fold: Fold) -> Combiner:
        """As in the source."""
        return self.source.combiners[fold.month]


@dataclass(frozen=True, slots=True)
class Trace:
    """How far what was handed to a learner reaches, in rows of the panel; -1 where there was nothing of the kind."""

    name: str
    first_test_row: int
    last_row: int
    """Of features, or of sessions forecast for a combiner."""
    last_label: int
    """The row whose close makes the last label known."""
    labels_too_late: int
    """How many labels are known only in the test or later."""
    in_sample: int = 0
    """How many member forecasts were made by a member that had learned from that row or a later one."""

    @property
    def faulty(self) -> bool:
        """It knew something of its test."""
        late = max(self.last_row, self.last_label) >= self.first_test_row
        return late or self.labels_too_late > 0 or self.in_sample > 0


@dataclass(frozen=True)
class DyedLearners:
    """Trains nothing; reads the dye off what it is given."""

    traces: list[Trace] = field(default_factory=list)

    def member(self, task: TrainingTask, fold: Fold) -> FittedMember:
        """A member that forecasts, as log-odds, how far it saw."""
        window, first = task.window, fold.test.start
        last_row, last_label = _reach(window.values), _reach(window.labels)
        too_late = int((window.labels >= first).sum())
        self.traces.append(Trace(f"member {task.spec.name} of {fold.month}", first, last_row, last_label, too_late))
        saw = float(max(last_row, last_label))
        n_features, n_labels = window.values.shape[2], window.labels.shape[2]
        nothing = Scaler(np.zeros(n_features), np.ones(n_features))
        return Logit(nothing, np.zeros((n_features, n_labels)), np.full(n_labels, saw))

    def combiner(self, history: History, fold: Fold) -> Combiner:
        """One that says the members' mean."""
        first = fold.test.start
        last_row, last_label = _reach(history.odds.conditions), _reach(history.labels)
        in_sample = 0
        if history.odds.conditions.size:
            row = np.nanmax(history.odds.conditions, axis=(0, 2))  # each row of the history says which it was
            in_sample = int((history.odds.log_odds[:, 0, :, 0] >= row[None]).sum())
        too_late = int((history.labels >= first).sum())
        self.traces.append(Trace(f"combiner of {fold.month}", first, last_row, last_label, too_late, in_sample))
        mean = LabelCombiner("mean", Voices(), VennAbers(), {})
        return Combiner(history.odds.members, history.odds.condition_names, (mean,) * len(LABELS))


def dyed(panel: Panel, limits: RiskLimits) -> Panel:
    """The panel with every value replaced by its row, and every label by the row whose close makes it known."""
    row = np.arange(len(panel.sessions), dtype=np.float32)
    values = np.broadcast_to(row[None, :, None], panel.values.shape).copy()
    ends = row[:, None] + np.array([label_horizon(label, limits) for label in LABELS], dtype=np.float32)
    return replace(panel, values=values, labels=np.broadcast_to(ends[None], panel.labels.shape).copy())


def changed_objects(before: NotingLearners, after: NotingLearners) -> Sequence[str]:
    """Names of what was fitted in both worlds and came out differently."""
    return [name for name, digest in before.made.items() if after.made.get(name, digest) != digest]


def _reach(values: Reals) -> int:
    return int(np.nanmax(values, initial=BEFORE_ALL))


def _digest(files: Files) -> str:
    digest = hashlib.sha256()
    for name in sorted(files):
        digest.update(name.encode() + files[name])
    return digest.hexdigest()
