"""What forecasts promised, beside what came of them and what a constant would have got."""

from dataclasses import dataclass

import numpy as np

from ensemble.evaluation.estimate import Z_95, Estimate
from ensemble.evaluation.scored import Scored
from ensemble.evaluation.scores import log_losses
from ensemble.evaluation.share import ratio_mean, share


@dataclass(frozen=True, slots=True)
class Promise:
    """The forecasts of one label whose outcome is known."""

    label: str
    sessions: int
    forecasts: int
    promised: float
    """Their mean confidence, max(p, 1 - p): how often they said they would be right."""
    right: Estimate
    """How often they were, with its 95 % interval."""
    commoner_side: float
    """How often always naming the side that came more often would have been; known only afterwards."""
    gain: Estimate
    """Log loss of always saying the share that came true, less theirs, nats a forecast, with its 95 % interval."""


def promise(scored: Scored) -> Promise | None:
    """None where no outcome is known."""
    known = scored.known
    if not known.any():
        return None
    up, came = scored.probability > 0.5, scored.outcome > 0.5
    ups = float(scored.outcome[known].mean())
    base = log_losses(np.full(known.shape, ups), scored.outcome)
    gains = np.where(known, base - log_losses(scored.probability, scored.outcome), np.nan)
    gain, error, _ = ratio_mean(gains, lags=scored.lags)
    return Promise(
        label=scored.label,
        sessions=int(known.any(axis=0).sum()),
        forecasts=int(known.sum()),
        promised=float(np.maximum(scored.probability, 1 - scored.probability)[known].mean()),
        right=share(np.where(known, up == came, np.nan), lags=scored.lags),
        commoner_side=max(ups, 1 - ups),
        gain=Estimate(gain, gain - Z_95 * error, gain + Z_95 * error),
    )
