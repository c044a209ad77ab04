"""Pipelines broken on purpose in how models are fitted, put together and tested. None may pass the audit."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from ensemble.arrays import Floats
from ensemble.evaluation.audit.pipeline import EnsemblePipeline, Forecasts, Learners
from ensemble.features.matrix import Market
from ensemble.labels import LABELS
from ensemble.members.logit import Logit
from ensemble.members.scaling import Scaler
from ensemble.members.specs import LogitSpec
from ensemble.members.tasks import TrainingTask
from ensemble.model import member_odds, with_conditions
from ensemble.panel import Panel
from ensemble.stacking.combiner import Combiner
from ensemble.stacking.comparison import log_losses
from ensemble.stacking.history import History, MemberOdds
from ensemble.trading.limits import RiskLimits
from ensemble.windows import Fold, Window, training_window


class UnpurgedLabel(EnsemblePipeline):
    """Labels of the last training rows that end in the test."""

    def window(self, panel: Panel, fold: Fold, limits: RiskLimits) -> Window:
        return replace(training_window(panel, fold, limits), labels=panel.labels[:, fold.train])


class ShuffledFolds(EnsemblePipeline):
    """Rows to learn from drawn from before and after the test alike."""

    def window(self, panel: Panel, fold: Fold, limits: RiskLimits) -> Window:
        others = np.setdiff1d(np.arange(len(panel.sessions)), np.arange(fold.test.start, fold.test.stop))
        drawn = np.sort(np.random.default_rng(0).permutation(others)[:300])
        return Window(panel.values[:, drawn], panel.labels[:, drawn], limits.max_holding_sessions - 1)


class TrainedThroughTheTest(EnsemblePipeline):
    """The month's model learns from the month."""

    def fold(self, panel: Panel, month: str) -> Fold:
        fold = super().fold(panel, month)
        return replace(fold, train=slice(fold.train.start, fold.test.stop))


class ScaledOnTrainAndTest(EnsemblePipeline):
    """Mean and deviation of the features from training and test together; labels are purged."""

    def window(self, panel: Panel, fold: Fold, limits: RiskLimits) -> Window:
        window = training_window(panel, fold, limits)
        unlabelled = np.full_like(panel.labels[:, fold.test], np.nan)
        return replace(
            window,
            values=np.concatenate([window.values, panel.values[:, fold.test]], axis=1),
            labels=np.concatenate([window.labels, unlabelled], axis=1),
        )


class StoppedOnTheTest(EnsemblePipeline):
    """Early stopping: of several strengths of training, the one that does best in the test."""

    def month_odds(self, panel: Panel, month: str, limits: RiskLimits, learners: Learners) -> MemberOdds:
        fold = self.fold(panel, month)
        window = self.window(panel, fold, limits)
        outcomes = panel.labels[:, fold.test].astype(np.float64)
        tried = [
            learners.member(TrainingTask(LogitSpec(penalty=penalty), window, "0" * 64), fold)
            for penalty in (10.0, 100.0, 1000.0, 10_000.0, 100_000.0)
        ]
        odds = np.stack([one.log_odds(panel, fold.test) for one in tried])
        best = np.nanmean(log_losses(odds, outcomes), axis=(1, 2)).argmin(axis=0)
        chosen = np.take_along_axis(odds, best[None, None, None], axis=0)
        return with_conditions(("logit",), chosen, panel, fold.test)


class SideChosenOnTheTest(EnsemblePipeline):
    """A label whose forecasts turn out wrong in the test is turned round."""

    def said(self, combiner: Combiner, odds: MemberOdds, panel: Panel, fold: Fold) -> Floats:
        probability = super().said(combiner, odds, panel, fold)
        outcomes = panel.labels[:, fold.test]
        right = np.nanmean((probability > 0.5) == (outcomes > 0.5), axis=(0, 1))
        return np.asarray(np.where(right < 0.5, 1 - probability, probability))


class ThresholdChosenOnTheTest(EnsemblePipeline):
    """Probabilities moved so that as many ups are said as came."""

    def said(self, combiner: Combiner, odds: MemberOdds, panel: Panel, fold: Fold) -> Floats:
        probability = super().said(combiner, odds, panel, fold)
        ups = np.nanmean(panel.labels[:, fold.test], axis=(0, 1))
        return np.asarray(np.clip(probability + ups - probability.mean(axis=(0, 1)), 0.01, 0.99))


class StackFedInSample(EnsemblePipeline):
    """The stack learns from what the newest members say about months that they were trained on."""

    def combiner(
        self, panel: Panel, fold: Fold, members: Mapping[str, MemberOdds], limits: RiskLimits, learners: Learners
    ) -> Combiner:
        window = self.window(panel, fold, limits)
        newest = {
            spec.name: [learners.member(TrainingTask(spec, window, "0" * 64), fold)] for spec in self.options.members
        }
        months = self.history_months(panel, fold.month)
        in_sample = {month: member_odds(newest, panel, self.fold(panel, month).test) for month in months}
        return learners.combiner(self.history(panel, months, in_sample, limits), fold)


class CalibratedOnItsOwnData(EnsemblePipeline):
    """Stack and calibrators learn from the month that they then speak in."""

    def combiner(
        self, panel: Panel, fold: Fold, members: Mapping[str, MemberOdds], limits: RiskLimits, learners: Learners
    ) -> Combiner:
        months = [*self.history_months(panel, fold.month)[1:], fold.month]
        return learners.combiner(self.history(panel, months, members, limits), fold)


class OutcomesOfHistoryNotPurged(EnsemblePipeline):
    """Stack and calibrators learn outcomes of the last month that end in the test."""

    def history(
        self, panel: Panel, months: Sequence[str], members: Mapping[str, MemberOdds], limits: RiskLimits
    ) -> History:
        history = super().history(panel, months, members, limits)
        rows = panel.sessions.get_indexer(history.sessions)
        return replace(history, labels=panel.labels[:, rows])


class NudgedByTheOutcome(EnsemblePipeline):
    """A little of the answer in each probability."""

    def walk(self, market: Market, panel: Panel, months: Sequence[str], learners: Learners) -> Forecasts:
        said = super().walk(market, panel, months, learners)
        answers = np.nan_to_num(panel.labels[:, said.rows] - 0.5)
        return replace(said, probability=np.clip(said.probability + 0.6 * answers, 0.01, 0.99))


class KnowsTheDayAfter(EnsemblePipeline):
    """What an aggregate over two days lets slip: a little of tomorrow's answer in today's probability."""

    def walk(self, market: Market, panel: Panel, months: Sequence[str], learners: Learners) -> Forecasts:
        said = super().walk(market, panel, months, learners)
        later = np.pad(panel.labels, ((0, 0), (0, 1), (0, 0)), constant_values=0.5)
        answers = np.nan_to_num(later[:, said.rows.start + 1 : said.rows.stop + 1] - 0.5)
        return replace(said, probability=np.clip(said.probability + 0.5 * answers, 0.01, 0.99))


class LearntFromItsNeighbours(EnsemblePipeline):
    """A label over ten sessions as the sessions before and after had it: what a shuffled fold learns by heart."""

    def walk(self, market: Market, panel: Panel, months: Sequence[str], learners: Learners) -> Forecasts:
        said = super().walk(market, panel, months, learners)
        labels = np.nan_to_num(panel.labels[..., LABELS.index("barrier")], nan=0.5)
        around = (np.roll(labels, 1, axis=1) + np.roll(labels, -1, axis=1))[:, said.rows] / 2
        probability = said.probability.copy()
        probability[..., LABELS.index("barrier")] = 0.5 + 0.6 * (around - 0.5)
        return replace(said, probability=probability)


class AlwaysUp(EnsemblePipeline):
    """The constant that was called the best configuration."""

    def month_odds(self, panel: Panel, month: str, limits: RiskLimits, learners: Learners) -> MemberOdds:
        n_features = panel.values.shape[2]
        nothing = Scaler(np.zeros(n_features), np.ones(n_features))
        up = Logit(nothing, np.zeros((n_features, len(LABELS))), np.full(len(LABELS), 0.3))
        return member_odds({"logit": [up]}, panel, self.fold(panel, month).test)


LEAKY_MODELS: Mapping[type[EnsemblePipeline], tuple[str, ...]] = {
    UnpurgedLabel: ("label overlap",),
    ShuffledFolds: ("provenance",),
    TrainedThroughTheTest: ("provenance",),
    ScaledOnTrainAndTest: ("provenance",),
    StackFedInSample: ("provenance",),
    CalibratedOnItsOwnData: ("provenance",),
    OutcomesOfHistoryNotPurged: ("label overlap",),
    StoppedOnTheTest: ("label corruption",),
    SideChosenOnTheTest: ("label corruption",),
    ThresholdChosenOnTheTest: ("label corruption",),
    NudgedByTheOutcome: ("planted signal", "sign-flip null"),
    KnowsTheDayAfter: ("one-day delay",),
    LearntFromItsNeighbours: ("shuffled against purged",),
    AlwaysUp: ("degenerate model",),
}
"""The mutant -> the checks that have to find it, whatever the others find."""
