"""How the members' log-odds became the ensemble's: weights, what trees added, calibration."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import get_args

import numpy as np

from ensemble.evaluation.attribution.contributions import tree_shares
from ensemble.stacking.combiner import LabelCombiner
from ensemble.stacking.history import MemberOdds
from ensemble.stacking.voices import UNLEARNED, Method

CURVES: tuple[Method, ...] = ("platt", "beta", "isotonic")


@dataclass(frozen=True, slots=True)
class Combination:
    """Of one symbol, session and label. All in log-odds.

    intercept + weights times the members' log-odds + what trees added = before; calibration makes `after` of it.
    """

    method: Method
    members: tuple[float, ...]
    """The members', cut where the combiner cuts them."""
    weights: tuple[float, ...]
    """One a member; none where they vote, for a vote has no weights."""
    intercept: float
    added: Mapping[str, float]
    """What the stack's trees added: their mean, and for each thing that they see; empty where no stack speaks."""
    before: float
    after: float
    """What was said."""
    others: Mapping[Method, float]
    """What each of those that may speak would have said."""


def combination(combiner: LabelCombiner, odds: MemberOdds, label: int) -> Combination:
    """The combination of `odds`, which hold one symbol and one row."""
    method, voices = combiner.method, combiner.voices
    members = odds.clipped()[:, 0, 0, label]
    able = [one for one in get_args(Method) if voices.learned or one in UNLEARNED]
    said: dict[Method, float] = {one: float(voices.log_odds(one, odds, label)[0, 0]) for one in able}
    after = float(combiner.log_odds(odds, label)[0, 0])
    weights, intercept = _weights(combiner, len(members))
    added = _added(combiner, odds, label) if method == "stack" and voices.learned else {}
    return Combination(
        method,
        tuple(members.tolist()),
        weights,
        intercept,
        added,
        before=said["mean"] if method in CURVES else after,
        after=after,
        others=said,
    )


def _weights(combiner: LabelCombiner, count: int) -> tuple[tuple[float, ...], float]:
    ridge = combiner.voices.ridge
    if combiner.method == "vote":
        return (), 0.0
    if combiner.method in ("ridge", "stack") and combiner.voices.learned and ridge.weights:
        return ridge.weights, ridge.intercept
    return (1 / count,) * count, 0.0


def _added(combiner: LabelCombiner, odds: MemberOdds, label: int) -> dict[str, float]:
    seen = (*odds.members, "spread of the members", *odds.condition_names)
    parts, mean = tree_shares(combiner.voices.stack, odds.table(label)[0])
    return {"always": mean} | dict(zip(seen, np.asarray(parts).tolist(), strict=True))
