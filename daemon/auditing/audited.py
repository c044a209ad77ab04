"""The daemon's wiring as the audit looks at it: its own model factory, on a model store that goes with the question."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from daemon.console.progress import silent
from daemon.models.factory import ModelFactory, Recipe
from daemon.models.first_seen import open_bar_digests
from daemon.training.workers import WorkerOptions
from ensemble.arrays import Floats
from ensemble.evaluation.audit.own_features import OwnFeatures, with_own_features
from ensemble.evaluation.audit.pipeline import Forecasts, Learners, combined, shortened
from ensemble.features.matrix import Market, build_panel
from ensemble.panel import Panel
from storage.model_store import ModelStore


@dataclass(frozen=True)
class DaemonPipeline:
    """Bars to probabilities by the daemon's own jobs, with features of one's own beside the program's, if there are."""

    recipe: Recipe
    own: OwnFeatures | None = None

    def panel(self, market: Market) -> Panel:
        """Features and labels of the whole market."""
        return self._with_own(build_panel(market), market)

    def live_panel(self, market: Market, first: date) -> Panel:
        """The rows from session `first` on, from no more context than the live desk reads."""
        short = shortened(market, first)
        return self._with_own(build_panel(short, first), short)

    def walk(self, market: Market, panel: Panel, months: Sequence[str], learners: Learners) -> Forecasts:
        """What is said about consecutive `months`, each by its own model, trained in this process."""
        with TemporaryDirectory(prefix="audit-") as folder:
            store = ModelStore(Path(folder))
            bars = open_bar_digests(store, market)
            factory = ModelFactory(panel, bars, self.recipe, store, WorkerOptions(), silent)
            said = [_said(factory, month, learners) for month in months]
        rows = slice(said[0][0].start, said[-1][0].stop)
        return Forecasts(rows, np.concatenate([probability for _, probability in said], axis=1))

    def _with_own(self, panel: Panel, market: Market) -> Panel:
        return panel if self.own is None else with_own_features(panel, market, self.own)


def _said(factory: ModelFactory, month: str, learners: Learners) -> tuple[slice, Floats]:
    for fold, task in factory.tasks(month):
        factory.store.put_part(task.key, learners.member(task, fold).files())
    rows, odds = factory.month_odds(month)
    combiner = learners.combiner(factory.history(month), factory.fold(month))
    return rows, combined(combiner, odds, factory.panel, rows)
