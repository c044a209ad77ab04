"""The report card: what the forecasts of each label are worth, beside what was asked for and what simple ones reach."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from ensemble.evaluation.baselines import Baseline, base_rate, baselines, member_baseline
from ensemble.evaluation.calibration import (
    BrierParts,
    CalibrationBin,
    CalibrationError,
    brier_parts,
    calibration_curve,
    calibration_error,
)
from ensemble.evaluation.history import History
from ensemble.evaluation.resampling import block_length
from ensemble.evaluation.risk_coverage import RiskPoint, risk_coverage
from ensemble.evaluation.roc_area import compare_auc, fold_auc
from ensemble.evaluation.scored import Scored
from ensemble.evaluation.scores import Scores, log_losses, score
from ensemble.evaluation.sides import count_sides
from ensemble.evaluation.significance import (
    BestOfMany,
    SidesTest,
    diebold_mariano,
    pesaran_timmermann,
    superior_predictive_ability,
)
from ensemble.evaluation.slices import above_confidence
from ensemble.evaluation.targets import TargetResult, check_targets
from ensemble.evaluation.verdict import LEVEL, LabelVerdict, Verdict, chance, judge_all


@dataclass(frozen=True, slots=True)
class Rival:
    """A simple forecaster on the same rows; NaN where a score says nothing about it."""

    name: str
    accuracy: float
    auc: float
    """Averaged over months, over quarters for one symbol."""
    log_loss: float
    auc_p_value: float
    """Chance of so large a lead in pooled AUC over it if there were none, one-sided: DeLong."""
    loss_p_value: float
    """The same for the log loss: Diebold and Mariano."""


@dataclass(frozen=True, slots=True)
class ConfidentPart:
    """The forecasts that the confidence filter lets pass."""

    threshold: float
    forecasts: int
    """With a known outcome."""
    coverage: float
    """Share of all forecasts whose outcome is known."""
    targets: tuple[TargetResult, ...]


@dataclass(frozen=True, slots=True)
class LabelCard:
    """All that the card says of one label."""

    verdict: LabelVerdict
    remarks: tuple[str, ...]
    """What else one has to know before believing the verdict."""
    scores: Scores
    loss_p_value: float
    """Chance of so large a lead in log loss over the base rate known at the time if there were none: skill in nats."""
    sides: SidesTest
    targets: tuple[TargetResult, ...]
    confident: ConfidentPart
    rivals: tuple[Rival, ...]
    calibration: CalibrationError
    calibration_curve: tuple[CalibrationBin, ...]
    """Tenths of the forecasts, least probable first: what was said, and how often it came true."""
    brier: BrierParts
    risk_coverage: tuple[RiskPoint, ...]
    """How often the most confident tenth was wrong, the most confident two tenths, and so on."""
    augrc: float
    """Share that is both acted on and wrong, averaged over coverages."""
    best_trial: BestOfMany | None
    """Is the best configuration in the ledger better than the base rate, given all tried? None without any."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the forecasts are set beside."""

    histories: Mapping[str, History]
    """Label -> what was known of it."""
    members: pd.DataFrame
    """One row a member's forecast: session, symbol, label, member, probability."""
    simple_members: Sequence[str] = ()
    """Members that stand for a simple model: a ridge-logit, a LightGBM."""
    trials: int = 1
    """Configurations that were ever scored on past sessions."""
    tried: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    """Label -> what each trial gained on the base rate, nats: sessions by trials, NaN where one was not scored."""


def report_card(
    labels: Mapping[str, Scored],
    evidence: Evidence,
    *,
    min_confidence: float,
    draws: int = 1000,
    watched: Callable[[Iterable[str]], Iterable[str]] = iter,
) -> dict[str, LabelCard]:
    """Label -> its card. Raises ValueError when a label has no known outcome.

    `draws`: resamples behind an interval that has no formula. `min_confidence` is the signals' filter. `watched` goes
    through the labels, by which somebody may be shown how far it is.
    """
    bases = {label: base_rate(scored, evidence.histories[label]) for label, scored in labels.items()}
    verdicts = judge_all(labels, trials=evidence.trials, bases=bases)
    return {
        label: _label_card(labels[label], verdicts[label], evidence, min_confidence=min_confidence, draws=draws)
        for label in watched(labels)
    }


def _label_card(
    scored: Scored, verdict: LabelVerdict, evidence: Evidence, *, min_confidence: float, draws: int
) -> LabelCard:
    history = evidence.histories[scored.label]
    base = base_rate(scored, history)
    loss_p_value = diebold_mariano(scored, base).p_value
    rivals = tuple(_rival(scored, one) for one in _simple(scored, history, evidence))
    confident, risks = _confident(scored, min_confidence), risk_coverage(scored)
    return LabelCard(
        verdict=verdict,
        remarks=tuple(_remarks(verdict, loss_p_value, rivals, confident)),
        scores=score(scored, base_rate=base, draws=draws),
        loss_p_value=loss_p_value,
        sides=pesaran_timmermann(scored),
        targets=check_targets(scored),
        confident=confident,
        rivals=rivals,
        calibration=calibration_error(scored, draws=draws),
        calibration_curve=calibration_curve(scored),
        brier=brier_parts(scored),
        risk_coverage=risks.tenths(),
        augrc=risks.augrc,
        best_trial=_best_trial(evidence.tried.get(scored.label), horizon=scored.horizon, draws=draws),
    )


def _confident(scored: Scored, threshold: float) -> ConfidentPart:
    sure = above_confidence(scored, threshold)
    count = int(sure.known.sum())
    return ConfidentPart(threshold, count, count / int(scored.known.sum()), check_targets(sure))


def _simple(scored: Scored, history: History, evidence: Evidence) -> list[Baseline]:
    members = (member_baseline(scored, evidence.members, name) for name in evidence.simple_members)
    return [*baselines(scored, history), *(one for one in members if one is not None)]


def _rival(scored: Scored, rival: Baseline) -> Rival:
    said = scored.saying(rival.probability)
    return Rival(
        name=rival.name,
        accuracy=count_sides(*said.flat()).accuracy,
        auc=fold_auc(said).value if rival.has_ranking else np.nan,
        log_loss=float(np.nanmean(log_losses(said.probability, said.outcome))) if rival.has_loss else np.nan,
        auc_p_value=compare_auc(scored, rival.probability).p_value if rival.has_ranking else np.nan,
        loss_p_value=diebold_mariano(scored, rival.probability).p_value if rival.has_loss else np.nan,
    )


def _remarks(
    verdict: LabelVerdict, loss_p_value: float, rivals: Sequence[Rival], confident: ConfidentPart
) -> Iterator[str]:
    if verdict.verdict is Verdict.EDGE:
        if loss_p_value > LEVEL:
            yield f"as probabilities they are not shown to beat the base rate ({chance(loss_p_value)})"
        equals = [one.name for one in rivals if min(_known(one.auc_p_value), _known(one.loss_p_value)) > LEVEL]
        if equals:
            yield f"not shown to be better than {', '.join(equals)} alone"
    yield (
        f"{confident.forecasts:,} forecasts are at least {confident.threshold:.2f} sure, "
        f"{100 * confident.coverage:.1f} % of them"
    )


def _known(p_value: float) -> float:
    """A test that cannot be made finds nothing against a model, and nothing for it."""
    return 0.0 if np.isnan(p_value) else p_value


def _best_trial(gains: pd.DataFrame | None, *, horizon: int, draws: int) -> BestOfMany | None:
    """Trials over several ranges are tested together: where one was not scored it is taken for the base rate itself.

    That leaves its mean gain the same number of standard errors from nothing.
    """
    if gains is None or gains.empty:
        return None
    known = {str(name): gains[name].dropna().to_numpy(np.float64) for name in gains.columns}
    block = max(block_length(one, horizon=horizon) for one in known.values())
    losses = {str(name): -gains[name].fillna(0.0).to_numpy(np.float64) for name in gains.columns}
    return superior_predictive_ability(losses, np.zeros(len(gains)), block=block, draws=draws)
