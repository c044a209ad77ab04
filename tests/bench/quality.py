"""What each member knows and adds: `python -m tests.bench.quality signals.db` on what a backtest left behind.

Prints Markdown. Every forecast was made out of sample; nothing here chooses anything.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from sqlalchemy import create_engine, text

from ensemble.arrays import Floats
from ensemble.evaluation.estimate import Z_95
from ensemble.evaluation.roc_area import Folds, fold_auc
from ensemble.evaluation.scored import Scored
from ensemble.labels import LABELS, label_horizon
from ensemble.long_run import long_run_variance
from ensemble.stacking.comparison import compare, log_losses
from ensemble.trading.limits import RiskLimits

SPOKEN = "what serves"
MEAN = "mean of log-odds"
BASE = "base rate so far"
WITHOUT_NETWORKS = "mean of logit and lightgbm"
HORIZONS = {label: label_horizon(label, RiskLimits()) + 1 for label in LABELS}
"""Sessions that a label reaches over, its own included: sets the lags of variances."""
ALL_FOLDS: Folds = "M"
ONE_FOLDS: Folds = "Q"
"""Folds of the AUC: months for all symbols, quarters for one, which has only twenty sessions a month."""
SAID = text(
    "SELECT session, symbol, label, member, probability FROM member_forecasts WHERE origin = 'backtest' "
    "UNION ALL SELECT session, symbol, label, :mean, probability_mean FROM forecasts WHERE origin = 'backtest' "
    "UNION ALL SELECT session, symbol, label, :spoken, probability FROM forecasts WHERE origin = 'backtest'"
)
CAME = text("SELECT session, symbol, label, outcome FROM outcomes")


@dataclass(frozen=True, slots=True)
class Said:
    """One label: log-odds a speaker and outcomes, (n_symbols, n_sessions) each, NaN unknown."""

    sessions: pd.DatetimeIndex
    symbols: tuple[str, ...]
    log_odds: Mapping[str, Floats]
    outcomes: Floats
    horizon: int

    def only(self, symbol: str) -> "Said":
        """The same for one symbol."""
        place = [self.symbols.index(symbol)]
        odds = {name: one[place] for name, one in self.log_odds.items()}
        return Said(self.sessions, (symbol,), odds, self.outcomes[place], self.horizon)


def read(database: Path) -> dict[str, Said]:
    """Label -> what was said and came of it, sessions in order."""
    engine = create_engine(f"sqlite:///{database}")
    with engine.connect() as conn:
        said = pd.DataFrame(conn.execute(SAID, {"mean": MEAN, "spoken": SPOKEN}).all())
        came = pd.DataFrame(conn.execute(CAME).all())
    both = said.merge(came, how="left", on=["session", "symbol", "label"])
    return {label: _said(both[both["label"] == label], HORIZONS[label]) for label in LABELS}


def _said(rows: pd.DataFrame, horizon: int) -> Said:
    sessions, symbols = pd.Index(sorted(rows["session"].unique())), tuple(sorted(rows["symbol"].unique()))

    def table(part: pd.DataFrame, column: str) -> Floats:
        wide = part.pivot_table(index="symbol", columns="session", values=column, dropna=False)
        return wide.reindex(index=list(symbols), columns=sessions).to_numpy(dtype=np.float64)

    odds = {str(name): _log_odds(table(part, "probability")) for name, part in rows.groupby("member", sort=False)}
    outcomes = table(rows[rows["member"] == SPOKEN], "outcome")
    return Said(pd.DatetimeIndex(pd.to_datetime(sessions)), symbols, odds, outcomes, horizon)


def _log_odds(probability: Floats) -> Floats:
    clipped = np.clip(probability, 1e-9, 1 - 1e-9)
    return np.asarray(np.log(clipped / (1 - clipped)))


def auc(said: Said, speaker: str, folds: Folds) -> tuple[float, float]:
    """Mean over folds and half its 95 % interval, from how much the folds differ; folds of one outcome are left out."""
    probability = 1 / (1 + np.exp(-said.log_odds[speaker]))
    area = fold_auc(Scored("", said.sessions, said.symbols, probability, said.outcomes, said.horizon), folds)
    return area.value, (area.high - area.low) / 2


def loss(said: Said, speaker: str) -> tuple[float, float]:
    """Mean log loss over sessions and half its 95 % interval; the stocks of one session count as one."""
    losses = log_losses(said.log_odds[speaker], said.outcomes)
    by_session = np.nanmean(losses[:, np.isfinite(losses).any(axis=0)], axis=0)
    variance = long_run_variance(by_session, lags=said.horizon - 1) / len(by_session)
    return float(by_session.mean()), Z_95 * float(np.sqrt(variance))


def added(said: Said, member: str, members: list[str]) -> float:
    """One-sided Diebold-Mariano p-value of the mean with the member against the mean without it."""
    without = np.mean([said.log_odds[name] for name in members if name != member], axis=0)
    with_it = np.mean([said.log_odds[name] for name in members], axis=0)
    return _p_value(said, with_it, without)


def _p_value(said: Said, challenger: Floats, incumbent: Floats) -> float:
    losses = [log_losses(odds, said.outcomes) for odds in (challenger, incumbent)]
    return compare(losses[0], losses[1], horizon=said.horizon).p_value


def base_rate(said: Said) -> Said:
    """Says the share of ups so far, of all symbols; the first hundred sessions say one half."""
    ups, known = np.nansum(said.outcomes, axis=0).cumsum(), np.isfinite(said.outcomes).sum(axis=0).cumsum()
    lag = said.horizon
    share = np.full(len(said.sessions), 0.5)
    share[100 + lag :] = (ups[100:-lag] + 1) / (known[100:-lag] + 2)
    odds = np.broadcast_to(_log_odds(share), said.outcomes.shape)
    return Said(said.sessions, said.symbols, {**said.log_odds, BASE: odds}, said.outcomes, said.horizon)


def without_networks(said: Said) -> Said:
    """The mean of the two members that are no networks beside the others, where both are there."""
    if not {"logit", "lightgbm"} <= set(said.log_odds):
        return said
    odds = (said.log_odds["logit"] + said.log_odds["lightgbm"]) / 2
    return Said(said.sessions, said.symbols, {**said.log_odds, WITHOUT_NETWORKS: odds}, said.outcomes, said.horizon)


def print_table(tables: Mapping[str, Said], folds: Folds) -> None:
    """One row a speaker: AUC and log loss a label, and how sure it is that the mean is better with the member."""
    speakers = list(next(iter(tables.values())).log_odds)
    members = [name for name in speakers if name not in (MEAN, SPOKEN, BASE, WITHOUT_NETWORKS)]
    write("| | " + " | ".join(tables) + " |\n|---" + "|---" * len(tables) + "|")
    for speaker in speakers:
        cells = []
        for said in tables.values():
            (area, area_half), (cost, cost_half) = auc(said, speaker, folds), loss(said, speaker)
            # A share that falls after each up ranks a fold's sessions backwards: its area says nothing.
            ranked = f"{area:.3f} ±{area_half:.3f} / " if speaker != BASE else ""
            cell = f"{ranked}{cost:.4f} ±{cost_half:.4f}"
            if speaker in members and len(members) > 1:
                cell += f" ({added(said, speaker, members):.3f})"
            cells.append(cell)
        write(f"| {speaker} | " + " | ".join(cells) + " |")


def print_duels(tables: Mapping[str, Said], pairs: list[tuple[str, str]]) -> None:
    """One-sided p-values of one speaker against another."""
    for challenger, incumbent in pairs:
        if any(one not in said.log_odds for said in tables.values() for one in (challenger, incumbent)):
            continue
        p_values = [_p_value(said, said.log_odds[challenger], said.log_odds[incumbent]) for said in tables.values()]
        cells = ", ".join(f"{label} {p_value:.4f}" for label, p_value in zip(tables, p_values, strict=True))
        write(f"{challenger} better than {incumbent}: p = {cells}")


def write(line: str) -> None:
    """To standard output."""
    sys.stdout.write(line + "\n")


def main(database: Path, symbol: str) -> None:
    """Tables for all symbols and for one."""
    tables = {label: base_rate(without_networks(said)) for label, said in read(database).items()}
    first, last = (f"{one:%Y-%m-%d}" for one in (tables["gap"].sessions[0], tables["gap"].sessions[-1]))
    write(f"{first} to {last}, {len(tables['gap'].symbols)} symbols; AUC over folds / log loss (p of what it adds)\n")
    print_table(tables, ALL_FOLDS)
    write("")
    incumbents = ("logit", "lightgbm", WITHOUT_NETWORKS, BASE)
    print_duels(tables, [(SPOKEN, MEAN), *((MEAN, incumbent) for incumbent in incumbents)])
    write(f"\n{symbol} alone\n")
    print_table({label: said.only(symbol) for label, said in tables.items()}, ONE_FOLDS)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "RELIANCE.NS")
