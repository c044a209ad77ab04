"""Does it matter where history begins? A backtest knows twenty years, the daemon builds its morning from the newest."""

from dataclasses import replace

import numpy as np
import pandas as pd

from ensemble.arrays import Floats
from ensemble.counted import counted
from ensemble.evaluation.audit.bench import Bench
from ensemble.evaluation.audit.finding import Finding, Verdict
from ensemble.evaluation.audit.learners import KnownLearners
from ensemble.evaluation.audit.world import World, panel_difference
from ensemble.evaluation.audit.worlds import begun_later
from ensemble.panel import Panel
from ensemble.windows import WindowError

CHECK = "warm-up drift"
LEFT_OUT_SHARE = 0.2
"""Part of history that the later beginning leaves out."""
SETTLED_ROWS = 300
"""Rows after a later beginning in which indicators may still warm up: their longest window is 270 bars."""
EXPANDING = ("up_gap_share",)
"""Made of all history by design, so they are let off, and what they move by is told."""
MAX_DRIFT = 0.02
"""By how much any other feature may move, in units of its standard deviation."""
MAX_PROBABILITY_DRIFT = 0.005


def warm_up(bench: Bench) -> Finding:
    """The morning's few rows are the backtest's; history that begins later gives the same, once indicators are warm.

    The models are kept, so that what moves of the probabilities comes from features.
    """
    row, rows = bench.said_row, bench.rows
    live = bench.clean.pipeline.live_panel(bench.market, bench.panel.sessions[row].date())
    morning = panel_difference(bench.panel, live, bench.panel.sessions[row : rows.stop])
    left_out = int(LEFT_OUT_SHARE * row)
    if morning:
        return Finding(CHECK, Verdict.LEAK, f"built alone, as on the morning itself, {morning}")
    if left_out + SETTLED_ROWS >= rows.start:
        needed = int(SETTLED_ROWS / (1 - LEFT_OUT_SHARE)) + 1
        return Finding(
            CHECK, Verdict.INCONCLUSIVE, f"{counted(rows.start, 'session')} before the forecasts; {needed} are needed"
        )
    later = bench.clean.of(begun_later(bench.market, left_out))
    later = later.with_panel(_expanded_as(bench.panel, later.panel))
    moved = _drifting(bench.panel, later.panel, left_out + SETTLED_ROWS) or _said_drift(bench.clean, later)
    if moved:
        return Finding(CHECK, Verdict.LEAK, moved)
    apart = f"; {', '.join(EXPANDING)} counts from the beginning by design and was left out" * _has_expanding(bench)
    detail = f"history that begins {left_out} sessions later gives the same features {SETTLED_ROWS} sessions on{apart}"
    return Finding(CHECK, Verdict.CLEAN, detail)


def _has_expanding(bench: Bench) -> bool:
    return any(name in EXPANDING for name in bench.panel.features)


def _expanded_as(whole: Panel, later: Panel) -> Panel:
    """`later` with what expands by design taken from `whole`."""
    values = later.values.copy()
    for column, name in enumerate(whole.features):
        if name in EXPANDING:
            values[..., column] = whole.values[:, whole.sessions.get_indexer(later.sessions), column]
    return replace(later, values=values)


def _drifting(whole: Panel, later: Panel, first: int) -> str:
    """Which features depend on where history began, in units of what each varies by."""
    drift = _drift(whole, later, whole.sessions[first:])
    drifting: list[int] = np.flatnonzero(drift > MAX_DRIFT).tolist()
    if not drifting:
        return ""
    worst = max(drifting, key=lambda column: float(drift[column]))
    return (
        f"{len(drifting)} of {len(whole.features)} features depend on where history begins, most "
        f"{whole.features[worst]}: by {drift[worst]:.3g} of its standard deviation"
    )


def _drift(whole: Panel, later: Panel, sessions: pd.DatetimeIndex) -> Floats:
    """The largest move of each feature in `sessions`, over its standard deviation, (n_features,)."""
    one, two = (side.values[:, side.sessions.get_indexer(sessions)].astype(np.float64) for side in (whole, later))
    known = np.isfinite(one) & np.isfinite(two)
    moved = np.abs(np.where(known, one, 0.0) - np.where(known, two, 0.0)).max(axis=(0, 1))
    spread = np.array([_spread(one[..., column]) for column in range(one.shape[2])])
    return np.where((np.isfinite(one) != np.isfinite(two)).any(axis=(0, 1)), np.inf, moved / spread)


def _spread(values: Floats) -> float:
    known = values[np.isfinite(values)]
    return max(float(known.std()), 1e-9) if len(known) else 1.0


def _said_drift(whole: World, later: World) -> str:
    """How far the same models say something else about the same sessions."""
    try:
        known = KnownLearners(whole.learners)
        said = later.pipeline.walk(later.market, later.panel, whole.months, known)
    except WindowError as error:
        return f"the months cannot be forecast from history that begins later: {error}"
    before, after = whole.said.probability, said.probability
    largest = float(np.abs(before - after).max())
    return f"probabilities moved by up to {largest:.3f}" if largest > MAX_PROBABILITY_DRIFT else ""
