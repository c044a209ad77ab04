"""The seam that the audit works at: market, panel, windows, models, probabilities.

`EnsemblePipeline` puts the ensemble's own functions together in memory, one method a stage. The daemon wires the same
functions to its model store; its wiring is another `Pipeline`, and so is any that a test breaks on purpose.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Protocol

import numpy as np
import pandas as pd

from ensemble.arrays import Floats
from ensemble.features.matrix import Market, build_panel, context_needed_from
from ensemble.labels import LABELS, label_horizon
from ensemble.members.fitted import FittedMember
from ensemble.members.tasks import TrainingTask
from ensemble.model import EnsembleOptions, Model, forecast_rows, member_odds
from ensemble.panel import Panel
from ensemble.stacking.combiner import Combiner
from ensemble.stacking.history import History, MemberOdds
from ensemble.trading.limits import RiskLimits
from ensemble.windows import Fold, Window, WindowError, known_labels, month_of, months_before, training_window


@dataclass(frozen=True, slots=True)
class Forecasts:
    """What a pipeline said, out of sample, about consecutive rows of its panel."""

    rows: slice
    probability: Floats
    """(n_symbols, n_rows, n_labels)."""


class Learners(Protocol):
    """Who learns; the audit puts in those that also tell what they were given."""

    def member(self, task: TrainingTask, fold: Fold) -> FittedMember:
        """The member trained for the month that `fold` tests."""
        ...

    def combiner(self, history: History, fold: Fold) -> Combiner:
        """The combiner for the month that `fold` tests."""
        ...


class Pipeline(Protocol):
    """All that lies between bars and probabilities."""

    def panel(self, market: Market) -> Panel:
        """Features and labels of the whole market."""
        ...

    def live_panel(self, market: Market, first: date) -> Panel:
        """The rows from session `first` on, as the daemon builds them each morning: from as little as it takes."""
        ...

    def walk(self, market: Market, panel: Panel, months: Sequence[str], learners: Learners) -> Forecasts:
        """What is said about consecutive `months`, each by its own model. Raises WindowError without enough history.

        `panel` need not be `self.panel(market)`: the audit changes labels and dyes rows.
        """
        ...


@dataclass(frozen=True)
class EnsemblePipeline:
    """The ensemble's own functions, put together in memory as the daemon does with its model store."""

    options: EnsembleOptions

    def panel(self, market: Market) -> Panel:
        """Features and labels of the whole market."""
        return build_panel(market)

    def live_panel(self, market: Market, first: date) -> Panel:
        """The rows from session `first` on, from no more context than that takes."""
        return build_panel(shortened(market, first), first)

    def walk(self, market: Market, panel: Panel, months: Sequence[str], learners: Learners) -> Forecasts:
        """What is said about consecutive `months`, each by its own model."""
        members: dict[str, MemberOdds] = {}
        folds, parts = [], []
        for month in months:
            fold = self.fold(panel, month)
            for one in (*self.history_months(panel, month), month):
                if one not in members:
                    members[one] = self.month_odds(panel, one, market.limits, learners)
            combiner = self.combiner(panel, fold, members, market.limits, learners)
            parts.append(self.said(combiner, members[month], panel, fold))
            folds.append(fold)
        return Forecasts(slice(folds[0].test.start, folds[-1].test.stop), np.concatenate(parts, axis=1))

    def fold(self, panel: Panel, month: str) -> Fold:
        """Rows to train on and to test."""
        return self.options.fold(panel.sessions, month)

    def window(self, panel: Panel, fold: Fold, limits: RiskLimits) -> Window:
        """What the members of the fold's month learn from."""
        return training_window(panel, fold, limits)

    def history_months(self, panel: Panel, month: str) -> list[str]:
        """The months that the combiner of `month` may learn from, oldest first."""
        found: list[str] = []
        for earlier in months_before(month, self.options.stack.history_months):
            try:
                self.fold(panel, earlier)
                found.append(earlier)
            except WindowError:
                found.clear()
        return found

    def month_odds(self, panel: Panel, month: str, limits: RiskLimits, learners: Learners) -> MemberOdds:
        """What the members of `month` say about its rows."""
        fold = self.fold(panel, month)
        window = self.window(panel, fold, limits)
        members = {
            spec.name: [learners.member(TrainingTask(spec, window, f"{seed:064x}"), fold) for seed in range(spec.seeds)]
            for spec in self.options.members
        }
        return member_odds(members, panel, fold.test)

    def combiner(
        self, panel: Panel, fold: Fold, members: Mapping[str, MemberOdds], limits: RiskLimits, learners: Learners
    ) -> Combiner:
        """Who speaks in the fold's month, from the members' forecasts of the months before."""
        months = self.history_months(panel, fold.month)
        return learners.combiner(self.history(panel, months, members, limits), fold)

    def history(
        self, panel: Panel, months: Sequence[str], members: Mapping[str, MemberOdds], limits: RiskLimits
    ) -> History:
        """The months' out-of-sample forecasts with what was known of their outcomes when they ended."""
        tests = [self.fold(panel, month).test for month in months]
        rows = slice(tests[0].start, tests[-1].stop) if tests else slice(0, 0)
        said = [members[month] for month in months]
        any_month = next(iter(members.values()))
        odds = MemberOdds(
            any_month.members,
            np.concatenate([any_month.log_odds[:, :, :0], *(one.log_odds for one in said)], axis=2),
            any_month.condition_names,
            np.concatenate([any_month.conditions[:, :0], *(one.conditions for one in said)], axis=1),
        )
        return History(
            odds,
            panel.sessions[rows],
            known_labels(panel, rows, before=rows.stop, limits=limits),
            month=np.repeat(np.arange(len(tests)), [test.stop - test.start for test in tests]),
            ends=tuple(label_horizon(label, limits) for label in LABELS),
        )

    def said(self, combiner: Combiner, odds: MemberOdds, panel: Panel, fold: Fold) -> Floats:
        """Probabilities of the fold's rows, (n_symbols, n_rows, n_labels)."""
        return combined(combiner, odds, panel, fold.test)


def combined(combiner: Combiner, odds: MemberOdds, panel: Panel, rows: slice) -> Floats:
    """Probabilities of `rows`, (n_symbols, n_rows, n_labels), rounded as the daemon rounds them."""
    model = Model("audit", month_of(panel.sessions[rows.start]), combiner, dict)
    digests = [""] * (rows.stop - rows.start)
    return forecast_rows(model, odds, panel, rows=rows, data_digests=digests).combined


def shortened(market: Market, first: date) -> Market:
    """The market with no more context than rows from session `first` on need."""
    begin = pd.Timestamp(context_needed_from(market.calendar, first))
    context = {symbol: (exchange, bars.loc[begin:]) for symbol, (exchange, bars) in market.context.items()}
    return replace(market, context=context)
