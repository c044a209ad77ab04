"""What each member knows and adds: `python -m tests.bench.quality signals.db FROM TO` on what a backtest left behind.

Prints Markdown, for all symbols and for RELIANCE.NS alone. Every forecast was made out of sample; nothing here chooses
anything. The file is opened for writing, because an older one is upgraded first: give it a copy.
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
from sqlalchemy import Connection

from ensemble.arrays import Floats
from ensemble.evaluation.baselines import base_rate
from ensemble.evaluation.estimate import Z_95
from ensemble.evaluation.history import history_of
from ensemble.evaluation.roc_area import fold_auc
from ensemble.evaluation.scored import Scored, scored_labels
from ensemble.evaluation.significance import diebold_mariano, session_losses
from ensemble.evaluation.slices import only_symbol
from ensemble.long_run import long_run_variance
from ensemble.trading.limits import RiskLimits
from storage.engine import open_store, reading
from storage.forecast_store import read_forecasts, read_member_forecasts
from storage.outcome_store import read_scored

SPOKEN = "what serves"
MEAN = "mean of log-odds"
BASE = "base rate so far"
WITHOUT_NETWORKS = "mean of logit and lightgbm"
SIMPLE = ("logit", "lightgbm")
EVER = date(1990, 1, 1), date(2100, 1, 1)
ALONE = "RELIANCE.NS"


@dataclass(frozen=True, slots=True)
class Speakers:
    """One label: what serves, with the outcomes, and what each other speaker said, (n_symbols, n_sessions) each."""

    scored: Scored
    said: Mapping[str, Floats]
    members: tuple[str, ...]

    def only(self, symbol: str) -> "Speakers":
        """The same for one symbol."""
        place = [self.scored.symbols.index(symbol)]
        said = {name: probability[place] for name, probability in self.said.items()}
        return replace(self, scored=only_symbol(self.scored, symbol), said=said)

    def between(self, first: str, last: str) -> "Speakers":
        """The same for the sessions from `first` to `last`, ISO dates."""
        rows = self.scored.sessions.slice_indexer(pd.Timestamp(first), pd.Timestamp(last))
        scored = replace(
            self.scored,
            sessions=self.scored.sessions[rows],
            probability=self.scored.probability[:, rows],
            outcome=self.scored.outcome[:, rows],
        )
        return replace(self, scored=scored, said={name: one[:, rows] for name, one in self.said.items()})

    def of(self, speaker: str) -> Scored:
        """What one of them said, beside what came of it."""
        return self.scored.saying(self.said[speaker])

    def mean_of(self, members: Sequence[str]) -> Floats:
        """The members' mean of log-odds, as a probability."""
        return _mean_of_log_odds([self.said[name] for name in members])


def read(conn: Connection) -> dict[str, Speakers]:
    """Label -> what was said in the backtest and what came of it."""
    first, last = EVER
    every = read_scored(conn, "backtest", first=first, last=last)
    means = read_forecasts(conn, first=first, last=last)
    members = read_member_forecasts(conn, first=first, last=last)
    said = {
        name: rows[rows["origin"] == "backtest"]
        for name, rows in (
            *((str(name), part) for name, part in members.groupby("member", sort=False)),
            (MEAN, means.assign(probability=means["probability_mean"])),
        )
    }
    found = {}
    for label, scored in scored_labels(every, RiskLimits()).items():
        tables = {
            name: rows[rows["label"] == label]
            .pivot(index="symbol", columns="session", values="probability")
            .reindex(index=list(scored.symbols), columns=scored.sessions)
            .to_numpy(np.float64)
            for name, rows in said.items()
        }
        found[label] = _with_others(scored, tables, members=[name for name in tables if name != MEAN])
    return found


def _with_others(scored: Scored, said: Mapping[str, Floats], members: list[str]) -> Speakers:
    """Beside them what serves, the base rate, and the mean of those that are no networks where both are there."""
    others = {SPOKEN: scored.probability}
    if set(SIMPLE) <= set(members):
        others[WITHOUT_NETWORKS] = _mean_of_log_odds([said[name] for name in SIMPLE])
    others[BASE] = base_rate(scored, history_of(scored))
    return Speakers(scored, {**said, **others}, tuple(members))


def _mean_of_log_odds(probabilities: Sequence[Floats]) -> Floats:
    clipped = np.clip(probabilities, 1e-9, 1 - 1e-9)
    return np.asarray(1 / (1 + np.exp(-np.mean(np.log(clipped / (1 - clipped)), axis=0))))


def loss(scored: Scored) -> tuple[float, float]:
    """Mean log loss over sessions and half its 95 % interval; the stocks of one session count as one."""
    by_session = session_losses(scored)
    by_session = by_session[np.isfinite(by_session)]
    variance = long_run_variance(by_session, lags=scored.horizon - 1) / len(by_session)
    return float(by_session.mean()), Z_95 * float(np.sqrt(variance))


def added(speakers: Speakers, member: str) -> float:
    """One-sided Diebold-Mariano p-value of the members' mean against the mean without this one."""
    others = [name for name in speakers.members if name != member]
    whole = speakers.scored.saying(speakers.mean_of(speakers.members))
    return diebold_mariano(whole, speakers.mean_of(others)).p_value


def print_table(labels: Mapping[str, Speakers]) -> None:
    """One row a speaker: AUC and log loss a label, and how sure it is that the mean is better with the member."""
    write("| | " + " | ".join(labels) + " |\n|---" + "|---" * len(labels) + "|")
    for speaker in next(iter(labels.values())).said:
        write(f"| {speaker} | " + " | ".join(_cell(speakers, speaker) for speakers in labels.values()) + " |")


def _cell(speakers: Speakers, speaker: str) -> str:
    scored = speakers.of(speaker)
    cost, cost_half = loss(scored)
    cell = f"{cost:.4f} ±{cost_half:.4f}"
    if speaker != BASE:  # a share that falls after each up ranks a fold's sessions backwards: its area says nothing
        area = fold_auc(scored)
        cell = f"{area.value:.3f} ±{(area.high - area.low) / 2:.3f} / {cell}"
    if speaker in speakers.members and len(speakers.members) > 1:
        cell += f" ({added(speakers, speaker):.3f})"
    return cell


def print_duels(labels: Mapping[str, Speakers], pairs: Sequence[tuple[str, str]]) -> None:
    """One-sided p-values of one speaker's log loss against another's."""
    for challenger, incumbent in pairs:
        if all({challenger, incumbent} <= speakers.said.keys() for speakers in labels.values()):
            p_values = {
                label: diebold_mariano(speakers.of(challenger), speakers.said[incumbent]).p_value
                for label, speakers in labels.items()
            }
            cells = ", ".join(f"{label} {p_value:.4f}" for label, p_value in p_values.items())
            write(f"{challenger} better than {incumbent}: p = {cells}")


def write(line: str) -> None:
    """To standard output."""
    sys.stdout.write(line + "\n")


def main(database: Path, first: str, last: str) -> None:
    """Tables for all symbols and for one; the base rate counts what came before `first` too."""
    with reading(open_store(f"sqlite:///{database}")) as conn:
        labels = {label: speakers.between(first, last) for label, speakers in read(conn).items()}
    scored = next(iter(labels.values())).scored
    begin, end = (f"{one:%Y-%m-%d}" for one in (scored.sessions[0], scored.sessions[-1]))
    write(f"{begin} to {end}, {len(scored.symbols)} symbols; AUC over folds / log loss (p of what it adds)\n")
    print_table(labels)
    write("")
    print_duels(labels, [(SPOKEN, MEAN), *((MEAN, incumbent) for incumbent in (*SIMPLE, WITHOUT_NETWORKS, BASE))])
    write(f"\n{ALONE} alone\n")
    print_table({label: speakers.only(ALONE) for label, speakers in labels.items()})


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:4])
