"""Whether a forecast is worth acting on: sure enough, among the surest, or worth more than it costs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from math import inf, log
from typing import Literal

import numpy as np
from pydantic import Field

from ensemble.options import Options
from ensemble.stacking.evidence import SCORES_A_LOG_ODDS, Evidence
from ensemble.trading.costs import Product, Side
from ensemble.trading.payoffs import Payoffs
from ensemble.trading.precision import MIN_FORECASTS, least_precision
from ensemble.trading.rules import TradingRules

BP = 1e4
CERTAIN = 1e-9
"""Probabilities are kept to nine decimals; beyond the last of them log-odds have no end."""
VALUE_DECIMALS = 3
"""Expected values are kept to this, basis points: a comparison then never hangs on a rounding."""


class GateOptions(Options):
    """The part of the [signals] table that says which forecasts are acted on."""

    gate: Literal["confidence", "coverage", "expected_value"] = Field(
        "confidence",
        description="act on forecasts that are sure enough, among the surest, or worth more than they cost",
    )
    min_confidence: float = Field(
        default=0.7, ge=0.5, lt=1, description='gate "confidence": act when a direction is at least this probable'
    )
    coverage_pct: float = Field(
        10.0, gt=0, le=100, description='gate "coverage": act as surely as this share of past forecasts was, %'
    )
    min_expected_value_bp: float = Field(
        0.0, ge=-1_000, le=1_000, description='gate "expected_value": act when a trade is worth more after costs, bp'
    )
    precision_level: float = Field(
        0.9, ge=0.5, lt=1, description='gate "expected_value": confidence of the precision that is reckoned with'
    )


@dataclass(frozen=True, slots=True)
class Beliefs:
    """What stands behind the forecasts of one session and label, besides their probabilities."""

    evidence: Evidence = field(default_factory=Evidence)
    spreads: Mapping[str, float] = field(default_factory=dict)
    """Standard deviation of the members' log-odds, by symbol."""
    model_age_months: int | None = None
    """1 for the model that was made for the session's month or quarter, 2 for one a month older; None: nobody spoke."""
    payoffs: Payoffs | None = None
    """None where past trades are too few, or nobody asks."""
    round_trip_cost: float = 0.0
    """Fees and slippage of entry and exit, as a share of what is traded."""


class Answer(StrEnum):
    """What the gate says."""

    ACT = "ACT"
    BELOW = "BELOW"
    NO_EVIDENCE = "NO_EVIDENCE"


@dataclass(frozen=True, slots=True)
class Judgement:
    """Whether to act on the forecast's side, and what that is worth where the gate asks."""

    answer: Answer
    expected_value_bp: float | None = None
    """After costs, by the lower bound of precision, basis points of what is traded."""


def judge(probability: float, beliefs: Beliefs, options: GateOptions, *, closes: bool) -> Judgement:
    """Whether the side that `probability` is on is worth acting on; a half is on neither.

    `closes`: to act is to leave a position, whose way out is paid anyway, and not to enter one.
    """
    if probability == 0.5:
        return Judgement(Answer.BELOW)
    if options.gate == "confidence":
        return _answer(max(probability, 1 - probability) >= options.min_confidence)
    if options.gate == "coverage":
        if beliefs.evidence.count < MIN_FORECASTS:
            return Judgement(Answer.NO_EVIDENCE)
        return _answer(sureness(probability) >= coverage_score(beliefs.evidence, options.coverage_pct))
    value = expected_value(probability, beliefs, level=options.precision_level, closes=closes)
    if value is None:
        return Judgement(Answer.NO_EVIDENCE)
    value_bp = round(BP * value, VALUE_DECIMALS)
    return _answer(value_bp > options.min_expected_value_bp, value_bp)


def coverage_score(evidence: Evidence, coverage_pct: float) -> float:
    """The log-odds of either side, in hundredths, that at most `coverage_pct` % of past forecasts reached.

    The lowest of them; infinite where more than that share were equally sure and none surer.
    """
    sure, place = np.unique(np.abs(np.array(evidence.scores, dtype=np.int64)), return_inverse=True)
    reached = np.bincount(place, weights=evidence.counts)[::-1].cumsum()[::-1]
    few_enough = sure[reached <= evidence.count * coverage_pct / 100]
    return float(few_enough[0]) if len(few_enough) else inf


def expected_value(probability: float, beliefs: Beliefs, *, level: float, closes: bool) -> float | None:
    """The least that acting is worth after costs, as a share of what is traded; None where nobody can tell.

    q W + (1 - q) L - drift - cost. q is the lower bound of how often so sure a forecast comes true, and no more than it
    says of itself, for it need not be as good as the surer ones beside it. W and L are what a trade earned when the
    forecast's side came true, and when it did not. Where W is below L, as with a label that trading can't use, a higher
    precision would be the worse: then q is 1. The drift is what acting every time, without a forecast, has earned,
    where that is a gain: it is no merit of the forecast, and may not come again; a loss stays in W and L. To leave a
    position is worth what it would lose if it stayed, and costs nothing that staying would not cost too.
    """
    up = probability > 0.5
    bound = least_precision(beliefs.evidence, sureness(probability), up=up, level=level)
    if bound is None or beliefs.payoffs is None:
        return None
    precision = min(bound, max(probability, 1 - probability))
    entered = beliefs.payoffs.long if up != closes else beliefs.payoffs.short
    win, loss = (entered.if_true, entered.if_false) if up else (entered.if_false, entered.if_true)
    sign = -1 if closes else 1
    drift = max(sign * entered.mean, 0.0)
    value = min(precision * sign * win + (1 - precision) * sign * loss, sign * win)
    return value - drift - (0.0 if closes else beliefs.round_trip_cost)


def round_trip_cost(rules: TradingRules, *, value: float, session: date, product: Product) -> float:
    """Fees and slippage of an entry and an exit of so much `value`, as a share of it."""
    fees = sum(rules.fees(side, value, session=session, product=product) for side in Side)
    return fees / value + 2 * rules.costs.slippage_bp / BP


def sureness(probability: float) -> int:
    """Log-odds of the side that the probability is on, in hundredths, from 0."""
    sure = min(max(probability, 1 - probability), 1 - CERTAIN)
    return round(SCORES_A_LOG_ODDS * log(sure / (1 - sure)))


def _answer(enough: bool, value_bp: float | None = None) -> Judgement:
    return Judgement(Answer.ACT if enough else Answer.BELOW, value_bp)
