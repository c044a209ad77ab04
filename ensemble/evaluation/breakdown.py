"""The same forecasts part by part: by symbol, by year, by how wild the market was."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ensemble.arrays import Floats
from ensemble.evaluation.baselines import base_rate
from ensemble.evaluation.estimate import Estimate
from ensemble.evaluation.history import History
from ensemble.evaluation.roc_area import fold_auc
from ensemble.evaluation.scored import Scored
from ensemble.evaluation.scores import log_losses
from ensemble.evaluation.share import share
from ensemble.evaluation.sides import count_sides
from ensemble.evaluation.significance import diebold_mariano
from ensemble.evaluation.slices import by_regime, by_symbol, by_year

Parts = Literal["symbol", "year", "regime"]


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a label's forecasts."""

    label: str
    name: str
    forecasts: int
    """With a known outcome."""
    up_share: float
    accuracy: Estimate
    auc: Estimate
    """Averaged over months, over quarters for one symbol."""
    log_loss: float
    base_log_loss: float
    """Of the base rate known at the time."""
    loss_p_value: float
    """Chance of so large a lead over the base rate if there were none, one-sided; for one part chosen beforehand."""


def break_down(scored: Scored, history: History, by: Parts) -> tuple[Part, ...]:
    """The parts that have a known outcome, in order."""
    parts: Mapping[str, Scored]
    if by == "symbol":
        parts = by_symbol(scored)
    else:
        parts = by_year(scored) if by == "year" else by_regime(scored, history)
    return tuple(_part(name, part, history) for name, part in parts.items() if part.known.any())


def _part(name: str, scored: Scored, history: History) -> Part:
    base = base_rate(scored, history)
    right = np.where(scored.known, (scored.probability > 0.5) == (scored.outcome > 0.5), np.nan)
    both = scored.known & np.isfinite(base)
    return Part(
        label=scored.label,
        name=name,
        forecasts=int(scored.known.sum()),
        up_share=count_sides(*scored.flat()).up_share,
        accuracy=share(right, lags=scored.lags),
        auc=fold_auc(scored).estimate,
        log_loss=_mean(log_losses(np.where(both, scored.probability, np.nan), scored.outcome)),
        base_log_loss=_mean(log_losses(np.where(both, base, np.nan), scored.outcome)),
        loss_p_value=diebold_mariano(scored, base).p_value,
    )


def _mean(losses: Floats) -> float:
    known = losses[np.isfinite(losses)]
    return float(known.mean()) if len(known) else np.nan
