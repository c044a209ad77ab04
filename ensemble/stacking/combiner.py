"""Who speaks for the members: their mean, unless a learned combination has shown on later data that it is better."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Literal

import numpy as np
from pydantic import Field

from ensemble.arrays import Floats
from ensemble.labels import LABELS
from ensemble.members.fitted import Files, pack_settings
from ensemble.options import Options
from ensemble.stacking.comparison import Comparison, compare, log_losses
from ensemble.stacking.history import History, MemberOdds
from ensemble.stacking.platt import Line, fit_line
from ensemble.trees import Table, Trees, grow

Method = Literal["mean", "stack", "platt", "vote"]
CHALLENGERS: tuple[Method, ...] = ("stack", "platt")
STACK_PARAMETERS = {"learning_rate": 0.05, "num_leaves": 4, "min_data_in_leaf": 100, "lambda_l2": 10.0}
STACK_ROUNDS = 40


class StackOptions(Options):
    """The [ensemble.stack] table."""

    combine: Literal["auto", "stack", "mean", "vote"] = Field(
        "auto",
        description='who speaks: "auto" lets later data decide between mean, stack and calibrated mean',
    )
    train_months: int = Field(12, ge=1, le=120, description="months of member forecasts that a stack learns from")
    gate_months: int = Field(
        12, ge=1, le=120, description="months over which a stack has to beat the mean before it speaks"
    )
    max_p_value: float = Field(
        0.05, gt=0, le=0.5, description="chance of a lucky win above which the mean keeps speaking"
    )

    @property
    def history_months(self) -> int:
        """Months of out-of-sample member forecasts needed before the month that is decided."""
        return self.train_months + self.gate_months


@dataclass(frozen=True, slots=True)
class LabelCombiner:
    """How one label's members are combined."""

    method: Method
    stack: str
    """LightGBM text of what to add to the mean of log-odds; empty where there was too little history."""
    line: Line
    verdicts: Mapping[str, Comparison]
    """Each challenger against the mean, on months after those it learned from."""

    def log_odds(self, odds: MemberOdds, label: int) -> Floats:
        """(n_symbols, n_rows)."""
        if self.method == "vote":
            return np.asarray(odds.vote()[..., label])
        mean = odds.mean()[..., label]
        if self.method == "stack" and self.stack:
            return mean + Trees(self.stack).added(odds.table(label)).reshape(mean.shape)
        return self.line(mean) if self.method == "platt" else mean


@dataclass(frozen=True, slots=True)
class Combiner:
    """One LabelCombiner a label, in the order of LABELS."""

    labels: tuple[LabelCombiner, ...]

    def log_odds(self, odds: MemberOdds) -> Floats:
        """Combined log-odds, (n_symbols, n_rows, n_labels)."""
        return np.stack([one.log_odds(odds, column) for column, one in enumerate(self.labels)], axis=-1)

    def methods(self) -> dict[str, Method]:
        """Label -> who speaks."""
        return {label: one.method for label, one in zip(LABELS, self.labels, strict=True)}

    def p_values(self) -> dict[str, dict[str, float]]:
        """Label -> challenger -> chance of its advantage over the mean if there were none: why who speaks does."""
        return {
            label: {name: round(verdict.p_value, 4) for name, verdict in one.verdicts.items()}
            for label, one in zip(LABELS, self.labels, strict=True)
        }

    def files(self) -> Files:
        """combiner.json and one LightGBM text a label; `load_combiner` reads them back."""
        settings = {
            label: {
                "method": one.method,
                "line": asdict(one.line),
                "verdicts": {name: asdict(verdict) for name, verdict in one.verdicts.items()},
            }
            for label, one in zip(LABELS, self.labels, strict=True)
        }
        texts = {f"stack-{label}.txt": one.stack.encode() for label, one in zip(LABELS, self.labels, strict=True)}
        return {"combiner.json": pack_settings(settings)} | texts


def load_combiner(files: Files) -> Combiner:
    """The combiner that `Combiner.files` stored."""
    settings = json.loads(files["combiner.json"])
    return Combiner(
        tuple(
            LabelCombiner(
                method=settings[label]["method"],
                stack=files[f"stack-{label}.txt"].decode(),
                line=Line(**settings[label]["line"]),
                verdicts={name: Comparison(**verdict) for name, verdict in settings[label]["verdicts"].items()},
            )
            for label in LABELS
        )
    )


def fit_combiner(history: History, options: StackOptions, *, seed: int) -> Combiner:
    """The combiner for the month after `history`, from its last `train_months`; `gate_months` decide who speaks."""
    return Combiner(tuple(_fit_label(history, options, column, seed) for column in range(len(LABELS))))


def _fit_label(history: History, options: StackOptions, label: int, seed: int) -> LabelCombiner:
    stack, line = _fit_challengers(history, options, label, history.n_months, seed)
    if options.combine != "auto":
        method: Method = options.combine if options.combine != "stack" or stack else "mean"
        return LabelCombiner(method, stack, line, {})
    verdicts = _judge(history, options, label, seed)
    winners = {name: verdict.loss for name, verdict in verdicts.items() if verdict.p_value < options.max_p_value}
    chosen: Method = "mean"
    for name in CHALLENGERS:
        if name in winners and winners[name] == min(winners.values()):
            chosen = name
    return LabelCombiner(chosen, stack, line, verdicts)


def _fit_challengers(history: History, options: StackOptions, label: int, month: int, seed: int) -> tuple[str, Line]:
    """Stack and calibration line from the `train_months` before `month`; "" and the identity without history."""
    rows = history.months(max(month - options.train_months, 0), month)
    outcomes = history.known(rows, label, before=rows.stop).ravel().astype(np.float64)
    known = np.isfinite(outcomes)
    if known.sum() < 2 * STACK_PARAMETERS["min_data_in_leaf"] or len(np.unique(outcomes[known])) < 2:
        return "", Line()
    odds = history.odds.rows(rows)
    mean = odds.mean()[..., label].ravel()[known]
    table = Table(odds.table(label)[known], outcomes[known], mean)
    return grow(table, STACK_PARAMETERS, rounds=STACK_ROUNDS, seed=seed), fit_line(mean, outcomes[known])


def _judge(history: History, options: StackOptions, label: int, seed: int) -> dict[str, Comparison]:
    """Each challenger against the mean over the gate months, each month forecast by what was fitted before it."""
    losses: dict[str, list[Floats]] = {name: [] for name in ("mean", *CHALLENGERS)}
    for month in range(max(history.n_months - options.gate_months, 1), history.n_months):
        stack, line = _fit_challengers(history, options, label, month, seed)
        rows = history.months(month, month + 1)
        outcomes = history.known(rows, label, before=len(history.sessions)).astype(np.float64)
        for name in losses:
            speaker = LabelCombiner(name, stack, line, {})  # type: ignore[arg-type]  # names of Method
            losses[name].append(log_losses(speaker.log_odds(history.odds.rows(rows), label), outcomes))
    if not losses["mean"]:
        return {}
    joined = {name: np.concatenate(parts, axis=1) for name, parts in losses.items()}
    return {name: compare(joined[name], joined["mean"], horizon=history.ends[label] + 1) for name in CHALLENGERS}
