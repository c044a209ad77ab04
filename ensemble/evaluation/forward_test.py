"""Do forecasts rank better than chance? A test that nothing learnt from past outcomes can bias.

An area under the curve within a month compares the month's ups with its downs. Once some of them have come, the other
side is the likelier among the rest, so a forecaster that leans against what came before ranks above chance without any
skill, and slopes that are learnt from few outcomes lean so (Kendall 1954); docs/report-card.md has by how much. Here
each forecast is ranked among earlier ones and its outcome set against the base rate known by then, so that without
skill every term has mean zero given all that came before it, but for what the base rate is wrong by.
"""

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from ensemble.arrays import Floats
from ensemble.evaluation.baselines import base_rate
from ensemble.evaluation.history import history_of
from ensemble.evaluation.overlap import overlap_freedom, overlap_variance
from ensemble.evaluation.scored import Scored

WINDOW_SESSIONS = 60
"""A quarter: how far back a forecast is ranked, about as far as the folds of an area reach."""


@dataclass(frozen=True, slots=True)
class ForwardTest:
    """How well forecasts rank, and the chance that one without skill ranks so well."""

    area: float
    """1/2 + sum of terms / sum of (outcome - base rate)^2: what the AUC would be; NaN where nothing is known."""
    p_value: float
    """One-sided, by Student's t over sessions; 1 where it cannot be told."""


def forward_test(scored: Scored, base: Floats | None = None) -> ForwardTest:
    """Tests the ranking beyond `base`, P(1) without skill as known at the time, (n_symbols, n_sessions).

    A term is rank * (outcome - base); a session's terms are added, stocks move together. The covariance of the rank in
    [0, 1] with the outcome is (AUC - 1/2) u (1 - u) at a share u of ups, which gives the area its scale. Variance as
    where labels overlap (`overlap_variance`). Without `base`, the share of ups so far among the outcomes of `scored` is
    taken, those before the first forecast too; few of them leave a little of the lean.
    """
    known_base = base_rate(scored, history_of(scored)) if base is None else base
    surprise = np.where(scored.known, scored.outcome - known_base, np.nan)
    pulls = ranks_so_far(scored) * surprise
    heard = scored.known.any(axis=0)
    series, scale = np.nansum(pulls[:, heard], axis=0), float(np.nansum(surprise**2))
    count = len(series)
    if count < 2 or not scale:
        return ForwardTest(np.nan, 1.0)
    return ForwardTest(0.5 + float(series.sum()) / scale, _chance(series, scored.horizon))


def ranks_so_far(scored: Scored) -> Floats:
    """The share of the last quarter's forecasts, this session's too, that lie below each, less 1/2; ties count half.

    Shape (n_symbols, n_sessions), NaN where nothing was said. Knows no later session.
    """
    n_symbols, n_sessions = scored.probability.shape
    before = np.full((n_symbols, WINDOW_SESSIONS), np.nan)
    windows = sliding_window_view(np.hstack([before, scored.probability]), WINDOW_SESSIONS + 1, axis=1)
    recent = windows.transpose(1, 0, 2).reshape(n_sessions, n_symbols * (WINDOW_SESSIONS + 1))
    count = np.isfinite(recent).sum(axis=1)
    ranks = np.full(scored.probability.shape, np.nan)
    for place, said in enumerate(scored.probability):
        spoken = np.isfinite(said)
        own = said[spoken, None]
        below, level = (one(recent[spoken], own).sum(axis=1) for one in (np.less, np.equal))
        ranks[place, spoken] = (below + level / 2) / count[spoken] - 0.5
    return ranks


def _chance(series: Floats, horizon: int) -> float:
    from scipy import stats

    count = len(series)
    error = np.sqrt(overlap_variance(series, horizon=horizon) / count)
    if not error > 0:
        return 1.0
    return float(stats.t.sf(series.mean() / error, overlap_freedom(count, horizon=horizon)))
