"""What each feature had to do with a member's log-odds, for one symbol, session and label."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from ensemble.arrays import Floats
from ensemble.evaluation.attribution.path_gradients import integrated_gradients
from ensemble.members.boosted import Boosted
from ensemble.members.fitted import FittedMember
from ensemble.members.logit import Logit
from ensemble.members.lstm import Lstm
from ensemble.panel import Panel
from ensemble.trees import _library  # its one home is in every model's code hash: a new name would train all again


class How(StrEnum):
    """By which rule a member's output is shared out; a word for people."""

    COEFFICIENTS = "coefficients"
    """Coefficient times standardised feature; with the intercept they add up to the log-odds."""
    TREES = "tree shares"
    """Shapley values along the trees' own paths (Lundberg, Erion and Lee 2018); with the mean they add up."""
    GRADIENTS = "integrated gradients"
    """Slopes along the way from an input of training means to the one that was seen; they add up but for rounding."""


@dataclass(frozen=True, slots=True)
class Place:
    """Which forecast is asked about."""

    symbol: int
    row: int
    label: int


@dataclass(frozen=True, slots=True)
class Contributions:
    """A member's log-odds and what they are made of."""

    how: How
    log_odds: float
    base: float
    """What it says when no feature is out of the ordinary."""
    by_feature: Floats
    """(n_features,), in the panel's order."""
    by_step: Floats
    """(n_steps,), the newest last; empty for a member that looks at the newest features alone."""

    @property
    def unexplained(self) -> float:
        """What base and features leave of the log-odds: rounding, and of a network what its nodes have missed."""
        return float(self.log_odds - self.base - self.by_feature.sum())


def member_contributions(seeds: Sequence[FittedMember], panel: Panel, place: Place) -> Contributions:
    """The mean over a member's networks, as its forecast is. Raises TypeError for a kind that is not known."""
    each = [_contributions(one, panel, place) for one in seeds]
    return Contributions(
        how=each[0].how,
        log_odds=float(np.mean([one.log_odds for one in each])),
        base=float(np.mean([one.base for one in each])),
        by_feature=np.mean([one.by_feature for one in each], axis=0),
        by_step=np.mean([one.by_step for one in each], axis=0),
    )


def _contributions(member: FittedMember, panel: Panel, place: Place) -> Contributions:
    if isinstance(member, Logit):
        return _of_logit(member, panel, place)
    if isinstance(member, Boosted):
        return _of_trees(member, panel, place)
    if isinstance(member, Lstm):
        return _of_network(member, panel, place)
    raise TypeError(f"the member is a {type(member).__name__}; only a Logit, Boosted or Lstm can be taken apart.")


def _of_logit(member: Logit, panel: Panel, place: Place) -> Contributions:
    scaled = member.scaler(panel.values[place.symbol, place.row]).astype(np.float64)
    parts, base = scaled * member.weights[:, place.label], float(member.intercepts[place.label])
    return Contributions(How.COEFFICIENTS, base + float(parts.sum()), base, parts, np.empty(0))


def _of_trees(member: Boosted, panel: Panel, place: Place) -> Contributions:
    features = panel.values[place.symbol, place.row].astype(np.float64)
    start = float(member.starts[place.label])
    text = member.texts[place.label]
    parts, mean = tree_shares(text, features) if text else (np.zeros(len(features)), 0.0)
    return Contributions(How.TREES, start + mean + float(parts.sum()), start + mean, parts, np.empty(0))


def tree_shares(text: str, features: Floats) -> tuple[Floats, float]:
    """What each of `features` (n,) adds to the output of LightGBM's trees, and the output of the mean row.

    By LightGBM itself (`pred_contrib`); together they are the output.
    """
    shares = _library().Booster(model_str=text).predict(features[None], pred_contrib=True, num_threads=1)[0]
    return np.asarray(shares[:-1], dtype=np.float64), float(shares[-1])


def _of_network(member: Lstm, panel: Panel, place: Place) -> Contributions:
    sequence = network_input(member, panel, place)
    said, base = (float(member.forward(one[None])[0, place.label]) for one in (sequence, np.zeros_like(sequence)))
    shares = integrated_gradients(member, sequence, place.label)
    return Contributions(How.GRADIENTS, said, base, shares.sum(axis=0), shares.sum(axis=1))


def network_input(member: Lstm, panel: Panel, place: Place) -> Floats:
    """The standardised features that it reads for the forecast, (n_steps, n_features), 0 before the panel begins."""
    n_steps = member.sequence_steps + member.warmup_steps
    values = member.scaler(panel.values[place.symbol, max(place.row + 1 - n_steps, 0) : place.row + 1])
    return np.pad(values.astype(np.float64), ((n_steps - len(values), 0), (0, 0)))
