"""The trial of a challenger: scored beside the champion on the same later sessions; and who serves by it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Literal

import numpy as np
from pydantic import Field

from ensemble.arrays import Floats, Mask
from ensemble.options import Options
from ensemble.stacking.comparison import Comparison, compare, log_losses

LEAST_SPREAD = 1e-6
"""Log-odds that vary by less over sessions and stocks say the same whatever happens."""
MOST_ONE_SIDED = 3.0
"""Mean log-odds beyond this, 95 %, that all days go the same way."""


class PromotionOptions(Options):
    """The [promotion] table: which version serves."""

    policy: Literal["newest", "unless_worse", "better", "manual"] = Field(
        default="newest", description="when a new version serves: at once, after a trial, or when a person says so"
    )
    max_p_value: float = Field(
        default=0.5, gt=0, le=0.5, description="chance of luck above which a trial has not shown a difference"
    )
    max_age_months: int = Field(
        default=3,
        ge=2,
        le=120,
        description="age at which a champion goes although its challenger lost, months; quarterly: default 9, from 4",
    )

    @property
    def tries(self) -> bool:
        """A challenger serves only after a trial."""
        return self.policy in ("unless_worse", "better")


class Verdict(StrEnum):
    """What a trial showed."""

    BETTER = "better"
    NO_DIFFERENCE = "no difference"
    WORSE = "worse"
    DEGENERATE = "degenerate"
    UNTRIED = "untried"
    """Too few outcomes are known."""


@dataclass(frozen=True, slots=True)
class Trial:
    """A challenger beside the champion on sessions that neither has learnt from, one label, all stocks."""

    comparison: Comparison
    """Of the challenger with the champion."""
    worse_p_value: float
    """Chance of so large a disadvantage if there were none (one-sided)."""
    bias: float
    """The challenger's mean probability less the share that came true: calibration in the large."""
    champion_bias: float
    fault: str = ""
    """Why the challenger is degenerate."""

    def verdict(self, max_p_value: float) -> Verdict:
        """What it shows, where luck may explain a difference with at most `max_p_value`."""
        if self.fault:
            return Verdict.DEGENERATE
        if not np.isfinite(self.comparison.loss):
            return Verdict.UNTRIED
        if self.comparison.p_value < max_p_value:
            return Verdict.BETTER
        return Verdict.WORSE if self.worse_p_value < max_p_value else Verdict.NO_DIFFERENCE

    def scores(self) -> dict[str, Any]:
        """For the record: sessions, losses and p-values, rounded; None for what is not known."""
        figures = asdict(self.comparison) | {
            "worse_p_value": self.worse_p_value,
            "bias": self.bias,
            "champion_bias": self.champion_bias,
        }
        figures.pop("adjusted_p_value")
        rounded = {name: round(value, 6) if np.isfinite(value) else None for name, value in figures.items()}
        return rounded | {"fault": self.fault}


def hold_trial(challenger: Floats, champion: Floats, outcomes: Floats, *, said: Mask, horizon: int) -> Trial:
    """Both sides' log-odds and what came of them, NaN unknown, each (n_symbols, n_sessions).

    Counted where `said`: where a forecast would have been made. The label reaches over `horizon` sessions.
    """
    known = np.where(said, outcomes, np.nan)
    losses, champion_losses = log_losses(challenger, known), log_losses(champion, known)
    return Trial(
        compare(losses, champion_losses, horizon=horizon),
        compare(champion_losses, losses, horizon=horizon).p_value,
        _bias(challenger, known),
        _bias(champion, known),
        fault_of(challenger[said]),
    )


def fault_of(log_odds: Floats) -> str:
    """What makes forecasts of consecutive sessions worthless before any outcome is known; empty where nothing does."""
    if not log_odds.size:
        return ""
    if not np.isfinite(log_odds).all():
        return "it says what is no number"
    if log_odds.size > 1 and float(np.ptp(log_odds)) < LEAST_SPREAD:
        return "it says the same of every session"
    mean = float(log_odds.mean())
    if abs(mean) > MOST_ONE_SIDED:
        return f"its mean probability is {1 / (1 + np.exp(-mean)):.3f}"
    return ""


def is_promoted(trial: Trial, options: PromotionOptions, *, champion_age_months: int) -> bool:
    """Whether the challenger replaces the champion, which would be so old in the month to come."""
    verdict = trial.verdict(options.max_p_value)
    if verdict is Verdict.DEGENERATE:
        return False
    if champion_age_months > options.max_age_months or verdict is Verdict.BETTER:
        return True
    return options.policy == "unless_worse" and verdict is Verdict.NO_DIFFERENCE


def describe_trial(scores: Mapping[str, Any]) -> str:
    """As in "log loss 0.6912 against 0.6915 over 21 sessions, p 0.31"."""
    if scores["loss"] is None:
        return "no outcome is known yet"
    return (
        f"log loss {scores['loss']:.4f} against {scores['incumbent_loss']:.4f} over {scores['sessions']} sessions, "
        f"p {scores['p_value']:.2g}"
    )


def _bias(log_odds: Floats, outcomes: Floats) -> float:
    known = np.isfinite(outcomes)
    if not known.any():
        return np.nan
    return float((1 / (1 + np.exp(-log_odds[known])) - outcomes[known]).mean())
