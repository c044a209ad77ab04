"""The scores that were asked for, and whether they were reached by something that a constant could not have done."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from ensemble.evaluation.estimate import Estimate
from ensemble.evaluation.roc_area import fold_auc
from ensemble.evaluation.scored import Scored
from ensemble.evaluation.share import share
from ensemble.evaluation.sides import count_sides


class Reached(StrEnum):
    """Whether a score is above its target."""

    MET = "met"
    """Above the target, and the whole interval above what a constant reaches."""
    NOT_MET = "not met"
    BY_CONSTANT = "met by a constant too"
    UNKNOWN = "cannot be told"
    """Above the target, but a constant may do as well; or nothing to work it out from."""


@dataclass(frozen=True, slots=True)
class Target:
    """What was asked for: the score is to lie above both numbers, above the second if it can."""

    score: str
    asked: float
    stretch: float


TARGETS = (Target("accuracy", 0.60, 0.65), Target("F1", 0.75, 0.80), Target("AUC", 0.65, 0.70))


@dataclass(frozen=True, slots=True)
class TargetResult:
    """One score beside its targets."""

    target: Target
    estimate: Estimate
    """With its 95 % interval; the AUC is averaged over months, over quarters for one symbol."""
    constant: float
    """The best that a constant reaches on the same forecasts: the commoner side, always up for F1, .5 for the AUC."""
    asked: Reached
    stretch: Reached


def check_targets(scored: Scored) -> tuple[TargetResult, ...]:
    """Every target beside what `scored` reaches, in the order of TARGETS; NaN and UNKNOWN without known outcomes."""
    sides = count_sides(*scored.flat())
    ups = sides.up_share if scored.known.any() else np.nan
    area = fold_auc(scored)
    found = {
        "accuracy": (_accuracy(scored), max(ups, 1 - ups)),
        "F1": (_f1(scored), 2 * ups / (1 + ups)),
        "AUC": (area.estimate, 0.5),
    }
    return tuple(_result(target, *found[target.score]) for target in TARGETS)


def _result(target: Target, estimate: Estimate, constant: float) -> TargetResult:
    asked, stretch = (_reached(estimate, constant, least) for least in (target.asked, target.stretch))
    return TargetResult(target, estimate, constant, asked, stretch)


def _reached(estimate: Estimate, constant: float, least: float) -> Reached:
    if np.isnan(estimate.value):
        return Reached.UNKNOWN
    if not estimate.value > least:
        return Reached.NOT_MET
    if constant > least:
        return Reached.BY_CONSTANT
    return Reached.MET if estimate.low > constant else Reached.UNKNOWN


def _accuracy(scored: Scored) -> Estimate:
    right = (scored.probability > 0.5) == (scored.outcome > 0.5)
    return share(np.where(scored.known, right, np.nan), lags=scored.lags)


def _f1(scored: Scored) -> Estimate:
    """2 j / (1 + j), where j is the share of true ups among all that was called up or went up."""
    up, went_up = scored.probability > 0.5, scored.outcome > 0.5
    hits = share(np.where(scored.known & (up | went_up), up & went_up, np.nan), lags=scored.lags)
    return Estimate(*(2 * one / (1 + one) for one in (hits.value, hits.low, hits.high)))
