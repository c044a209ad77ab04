"""What some features add: `python -m tests.bench.features --help`. Prints Markdown for docs/features.md.

Members that cost little learn from the shipped symbols, real bars where they lie beside the checkout, with the features
and without them, walked forward in memory. Whoever chooses by such a table has looked at its sessions.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from ensemble.arrays import Floats
from ensemble.evaluation.roc_area import compare_fold_auc, fold_auc
from ensemble.evaluation.scored import Scored
from ensemble.evaluation.significance import diebold_mariano, session_losses
from ensemble.evaluation.verdict import chance
from ensemble.labels import LABELS, label_horizon
from ensemble.panel import Panel
from ensemble.trading.limits import RiskLimits
from ensemble.windows import Fold
from tests.bench.market import load_panel
from tests.bench.synthetic import MEAN, Plan, joined, members_say, write

WINDOW_SESSIONS = 8 * 245
LIMITS = RiskLimits()


def without(panel: Panel, prefix: str) -> Panel:
    """The panel less the features whose name begins so. Raises ValueError when there is none."""
    kept = [place for place, name in enumerate(panel.features) if not name.startswith(prefix)]
    if len(kept) == len(panel.features):
        raise ValueError(f'no feature begins with "{prefix}"; `Panel.features` has their names.')
    return replace(panel, features=tuple(panel.features[place] for place in kept), values=panel.values[:, :, kept])


def cut(panel: Panel, last: str) -> Panel:
    """The panel up to the session `last`, ISO date; labels that reach past it are unknown."""
    stop = int(panel.sessions.searchsorted(pd.Timestamp(last), side="right"))
    labels = panel.labels[:, :stop].copy()
    for column, label in enumerate(LABELS):
        labels[:, stop - label_horizon(label, LIMITS) :, column] = np.nan
    return replace(
        panel,
        sessions=panel.sessions[:stop],
        values=panel.values[:, :stop],
        labels=labels,
        bar_age=panel.bar_age[:, :stop],
    )


def walk(panel: Panel, first: str, plan: Plan) -> dict[str, dict[str, Scored]]:
    """Speaker -> label -> forecasts out of sample from `first`, ISO date, on: each member's and their mean's."""
    start, stop = int(panel.sessions.searchsorted(pd.Timestamp(first))), len(panel.sessions)
    folds = [
        Fold(
            f"{begin}",
            slice(max(begin - WINDOW_SESSIONS, 0), begin),
            slice(begin, min(begin + plan.step_sessions, stop)),
        )
        for begin in range(start, stop, plan.step_sessions)
    ]
    odds = joined([members_say(panel, fold, plan) for fold in folds])
    said = dict(zip(odds.members, odds.log_odds, strict=True)) | {MEAN: odds.mean()}
    return {name: _scored(panel, one, slice(start, stop)) for name, one in said.items()}


def _scored(panel: Panel, log_odds: Floats, rows: slice) -> dict[str, Scored]:
    return {
        label: Scored(
            label=label,
            sessions=panel.sessions[rows],
            symbols=panel.symbols,
            probability=1 / (1 + np.exp(-log_odds[..., column])),
            outcome=panel.labels[:, rows, column].astype(np.float64),
            horizon=label_horizon(label, LIMITS) + 1,
        )
        for column, label in enumerate(LABELS)
    }


def print_difference(panel: Panel, prefix: str, first: str, plan: Plan) -> None:
    """Two rows a speaker, without the features and with them: AUC / log loss, and the chances of such gains by luck."""
    before, after = (walk(one, first, plan) for one in (without(panel, prefix), panel))
    write("| | " + " | ".join(LABELS) + " |\n|---" + "|---" * len(LABELS) + "|")
    for speaker, labels in after.items():
        write(f"| {speaker} without | " + " | ".join(_score(before[speaker][label]) for label in LABELS) + " |")
        cells = [
            f"{_score(one)} ({_chances(one, before[speaker][label].probability)})" for label, one in labels.items()
        ]
        write(f"| {speaker} | " + " | ".join(cells) + " |")


def _score(scored: Scored) -> str:
    return f"{fold_auc(scored).value:.4f} / {np.nanmean(session_losses(scored)):.5f}"


def _chances(scored: Scored, other: Floats) -> str:
    p_values = compare_fold_auc(scored, other).p_value, diebold_mariano(scored, other).p_value
    return "; ".join(chance(one) for one in p_values)


def main(words: Sequence[str]) -> None:
    """One table."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.features", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--prefix", default="expected_", help="of the features' names")
    parser.add_argument("--from", dest="first", default="2009-01-01", help="first session forecast")
    parser.add_argument("--to", dest="last", default="2018-12-31", help="last session known")
    parser.add_argument("--step", type=int, default=245, help="sessions between two trainings")
    given = parser.parse_args(words)
    print_difference(cut(load_panel(), given.last), given.prefix, given.first, Plan(step_sessions=given.step))


if __name__ == "__main__":
    main(sys.argv[1:])
