"""Is one forecast really better than another? Diebold and Mariano (1995) on log loss, by session."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from ensemble.arrays import Floats
from ensemble.long_run import long_run_variance


@dataclass(frozen=True, slots=True)
class Comparison:
    """A challenger against the incumbent on the same sessions."""

    sessions: int
    loss: float
    """The challenger's mean log loss, nats."""
    incumbent_loss: float
    p_value: float
    """Chance of so large an advantage if there were none (one-sided); 1 when it cannot be told."""
    adjusted_p_value: float = 1.0
    """The same, given that the best of several was looked for; set by `adjusted`."""


def log_losses(log_odds: Floats, outcomes: Floats) -> Floats:
    """-log p(what happened), elementwise, NaN where the outcome is."""
    return np.asarray(
        np.logaddexp(0.0, np.where(outcomes > 0.5, -log_odds, log_odds)) + np.where(np.isnan(outcomes), np.nan, 0.0)
    )


def compare(challenger: Floats, incumbent: Floats, *, horizon: int) -> Comparison:
    """Losses (n_symbols, n_sessions) of both, NaN unknown; overlapping labels reach `horizon` sessions (1: no overlap).

    Stocks of one session move together, so its losses are averaged before testing. The variance is Newey and West's
    (1987) with `horizon` - 1 lags, the statistic is corrected for short samples as in Harvey, Leybourne and Newbold
    (1997) and compared with Student's t. Fewer sessions than labels overlap tell nothing.
    """
    from scipy import stats

    known = np.isfinite(challenger).any(axis=0)
    if known.sum() < 2:
        return Comparison(int(known.sum()), np.nan, np.nan, 1.0)
    losses, incumbent_losses = (np.nanmean(side[:, known], axis=0) for side in (challenger, incumbent))
    gain = incumbent_losses - losses
    count = len(gain)
    variance = long_run_variance(gain, lags=min(horizon - 1, count - 1))
    correction = max((count + 1 - 2 * horizon + horizon * (horizon - 1) / count) / count, 0.0)
    p_value = 1.0
    if variance > 0 and count > horizon:
        p_value = float(stats.t.sf(gain.mean() * np.sqrt(correction * count / variance), count - 1))
    return Comparison(count, float(losses.mean()), float(incumbent_losses.mean()), p_value)


def adjusted(comparisons: Mapping[str, Comparison]) -> dict[str, Comparison]:
    """The comparisons with Holm's (1979) p-values for as many as there are.

    Holm's step-down holds however the challengers depend on each other, as Bonferroni's correction does, and finds
    more: these are all made of the same members.
    """
    ranked = sorted(comparisons, key=lambda name: comparisons[name].p_value)
    highest, found = 0.0, {}
    for place, name in enumerate(ranked):
        highest = max(highest, min((len(ranked) - place) * comparisons[name].p_value, 1.0))
        found[name] = replace(comparisons[name], adjusted_p_value=highest)
    return {name: found[name] for name in comparisons}
