"""What each voice would have said in past months, taught by the months before only, and whom that lets speak."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ensemble.arrays import Floats
from ensemble.long_run import rows_for_one
from ensemble.stacking.comparison import Comparison, adjusted, compare, log_losses
from ensemble.stacking.evidence import Evidence, gather_evidence
from ensemble.stacking.history import History
from ensemble.stacking.lesson import Lesson
from ensemble.stacking.venn_abers import VennAbers, fit_venn_abers
from ensemble.stacking.voices import CHALLENGERS, UNLEARNED, Method, Voices, fit_voices


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """One label's past months as they would have been forecast: nothing in it knew what it forecast."""

    said: Mapping[Method, Floats]
    """Log-odds of each voice, (n_symbols, n_rows): the gate months, and all of history for what needs no learning."""
    outcomes: Mapping[Method, Floats]
    """What came of the same rows, NaN unknown."""
    learned: bool
    """In some month there was enough history for challengers that differ from the mean."""

    def verdicts(self, *, horizon: int) -> dict[str, Comparison]:
        """Each challenger against the mean over the gate months, with p-values for the choice of the best of them.

        Empty where challengers had too little history, or nothing is known yet of what they said.
        """
        rows = self.outcomes[CHALLENGERS[0]].shape[1]
        if not self.learned or np.isfinite(self.outcomes[CHALLENGERS[0]]).any(axis=0).sum() < 2:
            return {}
        losses = {name: log_losses(said[:, -rows:], self.outcomes[name][:, -rows:]) for name, said in self.said.items()}
        return adjusted({name: compare(losses[name], losses["mean"], horizon=horizon) for name in CHALLENGERS})

    def interval(self, method: Method, *, horizon: int) -> VennAbers:
        """How sure the probabilities of `method` are, from what it said and what came of it."""
        said, outcomes = self.said[method], self.outcomes[method]
        known = np.isfinite(outcomes)
        if not known.any():
            return VennAbers()
        errors = outcomes - 1 / (1 + np.exp(-said))
        return fit_venn_abers(said[known], outcomes[known], weight=rows_for_one(errors, lags=horizon - 1))

    def evidence(self, method: Method, *, horizon: int) -> Evidence:
        """The same pairs in short, by which it is told later how often so sure a forecast comes true."""
        return gather_evidence(self.said[method], self.outcomes[method], lags=horizon - 1)


def rehearse(history: History, label: int, *, train_months: int, gate_months: int, seed: int) -> Rehearsal:
    """Every voice over the last `gate_months`, each month by what the `train_months` before it had taught."""
    first = min(max(history.n_months - gate_months, 1), history.n_months)
    everything = slice(0, len(history.sessions))
    said: dict[Method, list[Floats]] = {name: [] for name in CHALLENGERS}
    learned = False
    for month in range(first, history.n_months):
        voices = learn(history, label, month, train_months=train_months, seed=seed)
        learned |= voices.learned
        odds = history.odds.rows(history.months(month, month + 1))
        for name in said:
            said[name].append(voices.log_odds(name, odds, label))
    outcomes = history.known(everything, label, before=everything.stop)
    start = history.months(first, history.n_months).start
    nothing = np.empty((outcomes.shape[0], 0))
    unlearned = {name: Voices().log_odds(name, history.odds, label) for name in UNLEARNED}
    return Rehearsal(
        said=unlearned | {name: np.concatenate([nothing, *parts], axis=1) for name, parts in said.items()},
        outcomes=dict.fromkeys(UNLEARNED, outcomes) | dict.fromkeys(said, outcomes[:, start:]),
        learned=learned,
    )


def learn(history: History, label: int, month: int, *, train_months: int, seed: int) -> Voices:
    """What the `train_months` before `month` teach; outcomes that were not known when it began are not among it."""
    rows = history.months(max(month - train_months, 0), month)
    outcomes = history.known(rows, label, before=rows.stop)
    return fit_voices(Lesson(history.odds.rows(rows), label, outcomes, lags=history.ends[label]), seed=seed)


def winner(verdicts: Mapping[str, Comparison], *, max_p_value: float) -> Method:
    """The challenger of least later loss among those that beat the mean beyond luck; the mean without one."""
    proven = [name for name in CHALLENGERS if name in verdicts and verdicts[name].adjusted_p_value < max_p_value]
    return min(proven, key=lambda name: verdicts[name].loss, default="mean")


def explain(method: str, verdicts: Mapping[str, Comparison], *, fixed: bool) -> str:
    """Why it speaks: "mean speaks (best challenger ridge: log loss 0.6912, the mean's 0.6915, p 0.31 of 5 tried)"."""
    chosen = "as configured; " if fixed else ""
    if not verdicts:
        return f"{method} speaks ({chosen}too little history to judge challengers by)"
    name = method if method in verdicts else min(verdicts, key=lambda one: verdicts[one].loss)
    who = "" if name == method else f"best challenger {name}: "
    verdict = verdicts[name]
    losses = f"log loss {verdict.loss:.4f}, the mean's {verdict.incumbent_loss:.4f}"
    return f"{method} speaks ({chosen}{who}{losses}, p {verdict.adjusted_p_value:.2g} of {len(verdicts)} tried)"
