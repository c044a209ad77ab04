"""All that may speak for one label's members: their mean, their vote, and what was learned from past months."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, get_args

import numpy as np

from ensemble.arrays import Floats
from ensemble.stacking.beta import BetaCurve, fit_beta
from ensemble.stacking.history import MemberOdds
from ensemble.stacking.isotonic import RisingCurve, fit_rising
from ensemble.stacking.lesson import Lesson
from ensemble.stacking.platt import Line, fit_line
from ensemble.stacking.ridge import RidgeStack, fit_ridge
from ensemble.stacking.stack import added_by_stack, grow_stack

Challenger = Literal["ridge", "stack", "platt", "beta", "isotonic"]
Method = Literal["mean", "vote", "ridge", "stack", "platt", "beta", "isotonic"]
CHALLENGERS: tuple[Challenger, ...] = get_args(Challenger)
UNLEARNED: tuple[Method, ...] = ("mean", "vote")
MIN_OUTCOMES = 200
Curve = Line | BetaCurve | RisingCurve


@dataclass(frozen=True, slots=True)
class Voices:
    """What was learned for one label; without enough history nothing, and then every challenger says the mean."""

    learned: bool = False
    ridge: RidgeStack = field(default_factory=RidgeStack)
    stack: str = ""
    """LightGBM text of what to add to the ridge stack."""
    platt: Line = field(default_factory=Line)
    beta: BetaCurve = field(default_factory=BetaCurve)
    isotonic: RisingCurve = field(default_factory=RisingCurve)

    def log_odds(self, method: Method, odds: MemberOdds, label: int) -> Floats:
        """What `method` says about the rows of `odds`, (n_symbols, n_rows)."""
        if method == "vote":
            return np.asarray(odds.vote()[..., label])
        if method == "mean" or not self.learned:
            return np.asarray(odds.mean()[..., label])
        if method in ("ridge", "stack"):
            linear = self.ridge(odds.clipped()[..., label])
            return linear + added_by_stack(self.stack, odds, label) if method == "stack" else linear
        curves: Mapping[str, Curve] = {"platt": self.platt, "beta": self.beta, "isotonic": self.isotonic}
        return curves[method](odds.mean()[..., label])

    def settings(self) -> dict[str, Any]:
        """All but the trees, for JSON."""
        kept = asdict(self)
        del kept["stack"]
        return kept


def voices_of(settings: Mapping[str, Any], stack: str) -> Voices:
    """The voices that `Voices.settings` described, with the text of their trees."""
    isotonic, ridge = settings["isotonic"], settings["ridge"]
    return Voices(
        settings["learned"],
        RidgeStack(tuple(ridge["weights"]), ridge["intercept"]),
        stack,
        Line(**settings["platt"]),
        BetaCurve(**settings["beta"]),
        RisingCurve(tuple(isotonic["scores"]), tuple(isotonic["probabilities"])),
    )


def fit_voices(lesson: Lesson, *, seed: int) -> Voices:
    """Everything that the lesson teaches; nothing when it has fewer than MIN_OUTCOMES, or all of them alike."""
    known = lesson.known()
    happened = lesson.outcomes[known]
    if len(happened) < MIN_OUTCOMES or len(np.unique(happened)) < 2:
        return Voices()
    alike, mean, members = lesson.alike(), lesson.mean()[known], lesson.members()
    ridge = fit_ridge(members[:, known], happened, alike=alike)
    return Voices(
        learned=True,
        ridge=ridge,
        stack=grow_stack(lesson, ridge(members), alike=alike, seed=seed),
        platt=fit_line(mean, happened, alike=alike),
        beta=fit_beta(mean, happened, alike=alike),
        isotonic=fit_rising(mean, happened),
    )
