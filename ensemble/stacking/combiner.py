"""Who speaks for the members: their mean, unless a learned combination has shown on later data that it is better."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np
from pydantic import Field

from ensemble.arrays import Floats
from ensemble.labels import LABELS
from ensemble.members.fitted import Files, pack_settings
from ensemble.options import Options
from ensemble.stacking.comparison import Comparison
from ensemble.stacking.evidence import Evidence
from ensemble.stacking.gate import explain, learn, rehearse, winner
from ensemble.stacking.history import ColumnMismatch, History, MemberOdds
from ensemble.stacking.venn_abers import VennAbers
from ensemble.stacking.voices import UNLEARNED, Method, Voices, voices_of


class StackOptions(Options):
    """The [ensemble.stack] table."""

    combine: Literal["auto", "mean", "vote", "ridge", "stack", "platt", "beta", "isotonic"] = Field(
        "auto",
        description='who speaks: "auto" lets later data decide between the mean and five that learned from the past',
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
    voices: Voices
    interval: VennAbers
    """From what `method` said, and what came of it, in past months."""
    verdicts: Mapping[str, Comparison]
    """Each challenger against the mean, on months after those it learned from."""
    evidence: Evidence = field(default_factory=Evidence)
    """What `method` said, and what came of it, in past months; empty in a combiner stored before there was any."""

    def log_odds(self, odds: MemberOdds, label: int) -> Floats:
        """(n_symbols, n_rows)."""
        return self.voices.log_odds(self.method, odds, label)


@dataclass(frozen=True, slots=True)
class Combiner:
    """One LabelCombiner a label, in the order of LABELS, for the columns it was fitted on."""

    members: tuple[str, ...]
    condition_names: tuple[str, ...]
    labels: tuple[LabelCombiner, ...]

    def log_odds(self, odds: MemberOdds) -> Floats:
        """Combined log-odds, (n_symbols, n_rows, n_labels). Raises ColumnMismatch for other columns."""
        for kind, fitted, given in (
            ("members", self.members, odds.members),
            ("conditions", self.condition_names, odds.condition_names),
        ):
            if fitted != given:
                raise ColumnMismatch(
                    f"the combiner was fitted on the {kind} {', '.join(fitted) or 'none'} and was given "
                    f"{', '.join(given) or 'none'}; train the month again."
                )
        return np.stack([one.log_odds(odds, column) for column, one in enumerate(self.labels)], axis=-1)

    def interval(self, combined: Floats) -> tuple[Floats, Floats]:
        """Low and high probability of combined log-odds, each (n_symbols, n_rows, n_labels), NaN where not known."""
        ends = [one.interval(combined[..., column]) for column, one in enumerate(self.labels)]
        low, high = (np.stack(side, axis=-1) for side in zip(*ends, strict=True))
        return low, high

    def evidence(self, label: str) -> Evidence:
        """What whoever speaks for `label` said in past months, and what came of it."""
        return self.labels[LABELS.index(label)].evidence

    def methods(self) -> dict[str, Method]:
        """Label -> who speaks."""
        return {label: one.method for label, one in zip(LABELS, self.labels, strict=True)}

    def verdicts(self) -> dict[str, dict[str, dict[str, float]]]:
        """Label -> challenger -> sessions, losses and p-values, rounded, for the manifest: why who speaks does."""
        return {
            label: {
                name: {field: round(value, 6) for field, value in asdict(verdict).items()}
                for name, verdict in one.verdicts.items()
            }
            for label, one in zip(LABELS, self.labels, strict=True)
        }

    def files(self) -> Files:
        """combiner.json and one LightGBM text a label; `load_combiner` reads them back."""
        labels = dict(zip(LABELS, self.labels, strict=True))
        settings = {
            "members": self.members,
            "conditions": self.condition_names,
            "labels": {label: _settings(one) for label, one in labels.items()},
        }
        texts = {f"stack-{label}.txt": one.voices.stack.encode() for label, one in labels.items()}
        return {"combiner.json": pack_settings(settings)} | texts


def load_combiner(files: Files) -> Combiner:
    """The combiner that `Combiner.files` stored."""
    settings = json.loads(files["combiner.json"])
    return Combiner(
        tuple(settings["members"]),
        tuple(settings["conditions"]),
        tuple(_label_combiner(settings["labels"][label], files[f"stack-{label}.txt"].decode()) for label in LABELS),
    )


def fit_combiner(history: History, options: StackOptions, *, seed: int) -> Combiner:
    """The combiner for the month after `history`, from its last `train_months`; `gate_months` decide who speaks."""
    labels = (_fit_label(history, options, label, seed) for label in range(len(LABELS)))
    return Combiner(history.odds.members, history.odds.condition_names, tuple(labels))


def who_speaks(manifest: Mapping[str, Any]) -> str:
    """One line for the log: each label's method and why, from the manifest that a month's model is published with."""
    reasons = {
        label: explain(
            manifest["methods"][label],
            {name: Comparison(**verdict) for name, verdict in manifest["verdicts"][label].items()},
            fixed=manifest["combine"] == manifest["methods"][label],
        )
        for label in LABELS
    }
    return "; ".join(f"{label}: {reason}" for label, reason in reasons.items())


def _fit_label(history: History, options: StackOptions, label: int, seed: int) -> LabelCombiner:
    months = {"train_months": options.train_months, "seed": seed}
    voices = learn(history, label, history.n_months, **months)
    rehearsal = rehearse(history, label, gate_months=options.gate_months, **months)
    horizon = history.ends[label] + 1
    verdicts = rehearsal.verdicts(horizon=horizon)
    chosen: Method = winner(verdicts, max_p_value=options.max_p_value) if options.combine == "auto" else options.combine
    method: Method = chosen if voices.learned or chosen in UNLEARNED else "mean"
    interval = rehearsal.interval(method, horizon=horizon)
    return LabelCombiner(method, voices, interval, verdicts, rehearsal.evidence(method, horizon=horizon))


def _settings(one: LabelCombiner) -> dict[str, Any]:
    return {
        "method": one.method,
        "voices": one.voices.settings(),
        "interval": asdict(one.interval),
        "verdicts": {name: asdict(verdict) for name, verdict in one.verdicts.items()},
        "evidence": asdict(one.evidence),
    }


def _label_combiner(settings: Mapping[str, Any], stack: str) -> LabelCombiner:
    return LabelCombiner(
        method=settings["method"],
        voices=voices_of(settings["voices"], stack),
        interval=VennAbers(**{name: tuple(values) for name, values in settings["interval"].items()}),
        verdicts={name: Comparison(**verdict) for name, verdict in settings["verdicts"].items()},
        evidence=_evidence(settings.get("evidence", {})),
    )


def _evidence(settings: Mapping[str, Any]) -> Evidence:
    scores, counts, ups = (tuple(settings.get(name, ())) for name in ("scores", "counts", "ups"))
    return Evidence(scores, counts, ups, settings.get("worth", 0.0))
