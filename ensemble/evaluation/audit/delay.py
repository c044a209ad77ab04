"""What is left when everything comes a day late."""

import numpy as np

from ensemble.arrays import Floats
from ensemble.evaluation.audit.bench import Bench
from ensemble.evaluation.audit.cuts import row_as_known
from ensemble.evaluation.audit.finding import Finding, Verdict
from ensemble.evaluation.audit.known import known_bars
from ensemble.evaluation.audit.world import joined, panel_difference
from ensemble.evaluation.audit.worlds import delayed
from ensemble.evaluation.roc_area import RocArea, pooled_auc
from ensemble.evaluation.scored import Scored
from ensemble.features.matrix import Market

CHECK = "one-day delay"
MAX_DEVIATIONS = 4.0


def one_day_delay(bench: Bench) -> Finding:
    """Last night's bars, come too late for the decision, are not used; and no forecast knows of the day after its own.

    The second is asked in the simulated market, where what moves tomorrow cannot be known today.
    """
    late = bench.clean.of(delayed(bench.market))
    rows = bench.cut_rows[-2:]
    clauses = [row_as_known(late, row) for row in rows]
    if joined(clauses):
        return Finding(CHECK, Verdict.LEAK, f"with bars that come late {joined(clauses[:1])}")
    moved = panel_difference(bench.panel, late.panel, bench.panel.sessions[list(rows)])
    if not moved and any(_misses_a_bar(bench.market, late.market, row) for row in rows):
        detail = "no feature is older where every bar comes too late for the decision: availability is not asked for"
        return Finding(CHECK, Verdict.LEAK, detail)
    areas = {label: (pooled_auc(one), day_after(one)) for label, one in bench.planted.said.items()}
    detail = ", ".join(f"{label} {now.value:.3f}, a day late {then.value:.3f}" for label, (now, then) in areas.items())
    knows = [label for label, (_, then) in areas.items() if then.value - 0.5 > MAX_DEVIATIONS * then.standard_error]
    if knows:
        return Finding(CHECK, Verdict.LEAK, f"AUC {detail}: {knows[0]} knows of the session after its own")
    return Finding(CHECK, Verdict.CLEAN, f"AUC in a simulated market: {detail}")


def _misses_a_bar(market: Market, late: Market, row: int) -> bool:
    """Of some context series a bar that was known when `row` was decided is not in the `late` market."""
    return any(
        bool((known_bars(bars, exchange, market, row) & ~known_bars(bars, exchange, late, row)).any())
        for exchange, bars in market.context.values()
    )


def day_after(scored: Scored) -> RocArea:
    """AUC of each session's forecasts against the outcomes of the session after."""
    return pooled_auc(scored.saying(_later(scored.probability)))


def _later(probability: Floats) -> Floats:
    later = np.full(probability.shape, np.nan)
    later[:, 1:] = probability[:, :-1]
    return later
