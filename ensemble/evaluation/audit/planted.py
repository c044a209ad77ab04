"""A market whose best possible forecast is known: who beats it has seen the future, who finds nothing sees nothing."""

import numpy as np

from ensemble.evaluation.audit.bench import Bench
from ensemble.evaluation.audit.finding import Finding, Verdict
from ensemble.evaluation.roc_area import compare_auc, pooled_auc
from ensemble.evaluation.scored import Scored

MAX_DEVIATIONS = 3.0
"""Standard errors that a model may lie above the oracle on the same outcomes."""
MIN_DEVIATIONS = 2.0
"""Standard errors that it must lie above one half, or its probabilities tell nothing of leaks."""
SAME = 1e-6


def planted_signal(bench: Bench) -> Finding:
    """In a simulated market, no more is found than can be known: beating the oracle is proof of a leak."""
    check, said = "planted signal", bench.planted.said
    excess = {label: compare_auc(bench.planted.oracle[label], one.probability) for label, one in said.items()}
    parts, above = [], []
    for label, one in said.items():
        ours, best = pooled_auc(one), pooled_auc(bench.planted.oracle[label])
        parts.append(f"{label} {ours.value:.3f} of {best.value:.3f}")
        if -excess[label].difference > MAX_DEVIATIONS * excess[label].standard_error:
            above.append(label)
    detail = f"AUC {', '.join(parts)} that can be known"
    if above:
        return Finding(check, Verdict.LEAK, f"{detail}: {above[0]} is better than anything known beforehand allows")
    if not any(_found(one) for one in said.values()):
        return Finding(check, Verdict.INCONCLUSIVE, f"{detail}: nothing is found that is there, so no leak would show")
    return Finding(check, Verdict.CLEAN, detail)


def degenerate_model(bench: Bench) -> Finding:
    """Where ups and downs are as common and can be told apart, a model that always says one side is none.

    The checks of probabilities pass it for nothing: what says the same whatever happens depends on no future.
    """
    check = "degenerate model"
    flat = [label for label, one in bench.planted.said.items() if np.nanstd(one.probability) < SAME]
    one_sided = [label for label, one in bench.planted.said.items() if _share_up(one) in (0.0, 1.0)]
    if one_sided or flat:
        label = (flat or one_sided)[0]
        said = "the same probability" if flat else "the same side"
        detail = f"{label} gets {said} in every session of a simulated market: recall is 1 or 0, and audits are blind"
        return Finding(check, Verdict.INCONCLUSIVE, detail)
    shares = ", ".join(f"{label} {_share_up(one):.0%}" for label, one in bench.planted.said.items())
    return Finding(check, Verdict.CLEAN, f"says up in {shares} of the cases")


def _found(scored: Scored) -> bool:
    area = pooled_auc(scored)
    return area.value - 0.5 > MIN_DEVIATIONS * area.standard_error


def _share_up(scored: Scored) -> float:
    said = scored.flat()[0]
    return float((said > 0.5).mean())
