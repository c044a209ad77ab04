"""Does the vendor's rewriting of history change what is said?"""

import numpy as np

from ensemble.evaluation.audit.bench import Bench
from ensemble.evaluation.audit.finding import Finding, Verdict
from ensemble.evaluation.audit.world import forecast_sessions, panel_difference, said_difference
from ensemble.evaluation.audit.worlds import dividend_paid, restated
from ensemble.panel import Panel

ROUNDING = 1e-5
"""Features are rounded to the sixth decimal; nothing but that may move."""
PROBABILITY_ROUNDING = 1e-6


def restatement(bench: Bench) -> Finding:
    """A split and a dividend restate all prices by a constant: features, labels and forecasts must stay.

    Finds levels of adjusted prices, which know of every later split and dividend.
    """
    sessions, clean = bench.panel.sessions, bench.clean
    for name, other in (("split", restated(bench.market)), ("dividend", dividend_paid(bench.market))):
        world = clean.of(other)
        moved = panel_difference(bench.panel, world.panel, sessions, within=ROUNDING)
        if not _same_labels(bench.panel, world.panel):
            moved = moved or "labels changed"
        moved = moved or said_difference(clean, world, forecast_sessions(clean), within=PROBABILITY_ROUNDING)
        if moved:
            return Finding("restatement", Verdict.LEAK, f"after a {name} restatement {moved}")
    return Finding("restatement", Verdict.CLEAN, "a split and a dividend in all prices change no row and no forecast")


def _same_labels(one: Panel, two: Panel) -> bool:
    return bool(np.array_equal(one.labels, two.labels, equal_nan=True))
