"""What a range of forecasts is worth, in one word: DEGENERATE, TOO FEW, NO EDGE or EDGE."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from ensemble.arrays import Floats
from ensemble.evaluation.forward_test import forward_test
from ensemble.evaluation.roc_area import RocArea, fold_auc
from ensemble.evaluation.scored import Scored
from ensemble.evaluation.sides import Sides, count_sides
from ensemble.long_run import rows_for_one
from ensemble.stacking.comparison import Comparison, adjusted

LEVEL = 0.05
"""An edge is claimed when chance alone does as well in no more than this share of cases."""
CLAIM = 0.15
"""The edge that was asked for: an AUC of .65, as far above a coin's."""
NEAR = 0.5
"""Standard errors within which a precision is the base rate's."""


class Verdict(StrEnum):
    """In the order in which they are tried."""

    DEGENERATE = "DEGENERATE"
    """It says one side only, or its side says no more than the base rate."""
    TOO_FEW = "TOO FEW"
    """The interval is wider than the claim."""
    EDGE = "EDGE"
    """It ranks better than chance, however many were tried."""
    NO_EDGE = "NO EDGE"
    """An edge of the size asked for would have shown."""


@dataclass(frozen=True, slots=True)
class LabelVerdict:
    """The verdict on the forecasts of one label, and what it follows from."""

    label: str
    verdict: Verdict
    reason: str
    """Why, in words."""
    auc: RocArea
    """Averaged over months, over quarters for one symbol."""
    p_value: float
    """Chance of so good a ranking without any skill, one-sided, by `forward_test`: the AUC's own is too small."""
    adjusted_p_value: float
    """The same, given how many labels and configurations were looked at."""
    labels: int
    trials: int

    @property
    def edge(self) -> float:
        """How far the AUC is above a coin's."""
        return self.auc.value - 0.5


def judge(scored: Scored, *, trials: int = 1) -> LabelVerdict:
    """The verdict on one label that was chosen beforehand, the best of `trials` configurations.

    Raises ValueError when no outcome is known.
    """
    return judge_all({scored.label: scored}, trials=trials)[scored.label]


def judge_all(
    labels: Mapping[str, Scored], *, trials: int = 1, bases: Mapping[str, Floats] | None = None
) -> dict[str, LabelVerdict]:
    """The verdict on each label. Raises ValueError when one has no known outcome.

    `bases` are the base rates known at the time, label -> (n_symbols, n_sessions), by default the range's own so far.
    p-values are Holm's (1979) for as many labels as were looked at, then 1 - (1 - p)^trials (Sidak 1967), which holds
    for independent trials and is too strict for similar ones.
    """
    areas = {label: fold_auc(scored) for label, scored in labels.items()}
    tests = {label: forward_test(scored, (bases or {}).get(label)) for label, scored in labels.items()}
    of_labels = adjusted({label: Comparison(0, np.nan, np.nan, test.p_value) for label, test in tests.items()})
    found = {}
    for label, scored in labels.items():
        if not scored.known.any():
            raise ValueError(f"no outcome of {label} is known in this range; choose an earlier one.")
        p_value = after_trials(of_labels[label].adjusted_p_value, trials)
        verdict, reason = _verdict(scored, areas[label], p_value)
        found[label] = LabelVerdict(
            label, verdict, reason, areas[label], tests[label].p_value, p_value, len(labels), trials
        )
    return found


def after_trials(p_value: float, trials: int) -> float:
    """The chance that the best of `trials` independent ones does as well by luck: 1 - (1 - p)^trials (Sidak 1967)."""
    if p_value >= 1:
        return 1.0
    return float(-np.expm1(max(trials, 1) * np.log1p(-p_value)))


def chance(p_value: float) -> str:
    """As in "p = .031" and "p < .001"."""
    return "p < .001" if p_value < 0.0005 else f"p = {p_value:.3f}".replace("0.", ".", 1)


def degeneracy(scored: Scored) -> str:
    """Why the side that is said says nothing; empty where it may say something."""
    sides = count_sides(*scored.flat())
    if sides.said_up_share in (0, 1):
        return f"it always says {'up' if sides.said_up_share else 'down'}"
    if sides.recall in (0, 1):
        return f"its recall is {sides.recall:.0f}"
    if abs(sides.precision - sides.up_share) <= NEAR * _precision_error(scored, sides):
        return (
            f"what it calls up is up in {100 * sides.precision:.1f} % of cases, and any case is in "
            f"{100 * sides.up_share:.1f} %"
        )
    return ""


def _verdict(scored: Scored, area: RocArea, p_value: float) -> tuple[Verdict, str]:
    measured = f"AUC {area.value:.3f} ({area.low:.3f} to {area.high:.3f})"
    if fault := degeneracy(scored):
        return Verdict.DEGENERATE, f"{fault}; as a ranking, {measured}, {chance(p_value)}"
    claim = max(area.value - 0.5, CLAIM)
    width = area.high - area.low
    if not width <= claim:  # NaN where there is nothing to work one out from
        return Verdict.TOO_FEW, f"{measured}: an interval {width:.2f} wide can't bear a claim of {claim:.2f}"
    if p_value <= LEVEL:
        return Verdict.EDGE, f"{measured}: {area.value - 0.5:.3f} above a coin, {chance(p_value)}"
    return Verdict.NO_EDGE, f"{measured}: chance does as well, {chance(p_value)}; an edge of .15 would have shown"


def _precision_error(scored: Scored, sides: Sides[float]) -> float:
    """Standard error of the precision if every case were as likely up as any; stocks of a session count together."""
    called_up = np.where(scored.known & (scored.probability > 0.5), scored.outcome, np.nan)
    count = float(np.isfinite(called_up).sum()) / rows_for_one(called_up, lags=scored.lags)
    return float(np.sqrt(sides.up_share * (1 - sides.up_share) / count))
