"""Outcomes and scores, each worked out by a second hand."""

from collections.abc import Mapping

import numpy as np

from ensemble.arrays import Floats
from ensemble.counted import counted
from ensemble.evaluation.audit.bench import Bench
from ensemble.evaluation.audit.finding import Finding, Verdict
from ensemble.evaluation.audit.relabel import RELABELLED, relabelled
from ensemble.evaluation.audit.world import World, joined, scored_world
from ensemble.evaluation.scored import Scored
from ensemble.evaluation.scores import score
from ensemble.features.matrix import Market
from ensemble.labels import LABELS

CHECK = "independent rescoring"
WITHIN = 1e-9
RELABELLED_ROWS = 250
"""The newest so many rows are labelled again."""


def rescoring(bench: Bench) -> Finding:
    """Labels worked out again from the bars, and scores by scikit-learn, equal the pipeline's."""
    world, stop = bench.clean, bench.rows.stop
    rows = slice(max(stop - RELABELLED_ROWS, 0), stop)
    wrong = wrong_labels(world, rows)
    both = {label: one for label, one in scored_world(world).items() if _both_ways(one)} if not wrong else {}
    clauses = [wrong, *(wrong_scores(label, scored) for label, scored in both.items())]
    if joined(clauses):
        return Finding(CHECK, Verdict.LEAK, joined(clauses))
    if not both:
        return Finding(CHECK, Verdict.INCONCLUSIVE, "no label of the tested months had both outcomes")
    detail = f"labels of {stop - rows.start} sessions and the scores of {len(both)} labels came out the same twice"
    return Finding(CHECK, Verdict.CLEAN, detail)


def _both_ways(scored: Scored) -> bool:
    happened = scored.flat()[1]
    return bool(0 < happened.sum() < len(happened))


def wrong_labels(world: World, rows: slice) -> str:
    """Where the panel's labels are not what the bars say, as one clause; empty where all are."""
    market, panel = world.market, world.panel
    for place, symbol in enumerate(panel.symbols):
        again = relabelled(market.bars[symbol], panel.sessions, rows, market.limits)
        wrong = ~np.isclose(again, panel.labels[place, rows], rtol=0, atol=0, equal_nan=True)
        if wrong.any():
            row, column = (int(one[0]) for one in np.nonzero(wrong))
            said = panel.labels[place, rows][row, column]
            return (
                f"{counted(int(wrong.sum()), 'label')} of {symbol} not as its bars say, first {LABELS[column]} on "
                f"{panel.sessions[rows][row]:%Y-%m-%d} ({said:g} in the panel, {again[row, column]:g} by the bars)"
            )
    return ""


def outcomes_again(market: Market, scored: Scored) -> Floats:
    """What the bars say now of the outcomes beside forecasts, (n_symbols, n_sessions); NaN where they can't tell."""
    sessions, column = market.calendar.sessions, RELABELLED.index(scored.label)
    rows, again = sessions.get_indexer(scored.sessions), np.full(scored.outcome.shape, np.nan)
    inside = rows >= 0
    if not inside.any():
        return again
    stretch = slice(int(rows[inside].min()), int(rows.max()) + 1)
    for place, symbol in enumerate(scored.symbols):
        if symbol in market.bars:
            labels = relabelled(market.bars[symbol], sessions, stretch, market.limits)
            again[place, inside] = labels[rows[inside] - stretch.start, column]
    return again


def wrong_outcomes(scored: Scored, again: Floats) -> str:
    """Where outcomes are not what the bars say, as one clause; empty where all are that these still tell of."""
    wrong = np.isfinite(scored.outcome) & np.isfinite(again) & (again != scored.outcome)
    if not wrong.any():
        return ""
    place = int(np.flatnonzero(wrong.any(axis=1))[0])
    first = scored.sessions[wrong[place]][0]
    return (
        f"{int(wrong[place].sum())} outcomes of {scored.label}, {scored.symbols[place]}, are not what its bars say: "
        f"{first:%Y-%m-%d}"
    )


def wrong_scores(label: str, scored: Scored) -> str:
    """Which scores scikit-learn finds otherwise, as one clause; empty where it finds the same."""
    ours = score(scored, draws=1)
    mine = {
        "accuracy": ours.accuracy.value,
        "AUC": ours.auc.value,
        "log loss": ours.log_loss.value,
        "Brier score": ours.brier.value,
    }
    theirs = _by_scikit_learn(*scored.flat())
    wrong = [name for name, value in mine.items() if not abs(value - theirs[name]) <= WITHIN]
    if not wrong:
        return ""
    name = wrong[0]
    return f"{name} of {label} was given as {mine[name]:.9f}; scikit-learn finds {theirs[name]:.9f}"


def _by_scikit_learn(probability: Floats, outcome: Floats) -> Mapping[str, float]:
    from sklearn import metrics

    return {
        "accuracy": float(metrics.accuracy_score(outcome > 0.5, probability > 0.5)),
        "AUC": float(metrics.roc_auc_score(outcome, probability)),
        "log loss": float(metrics.log_loss(outcome, probability)),
        "Brier score": float(metrics.brier_score_loss(outcome, probability)),
    }
