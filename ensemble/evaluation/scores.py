"""Every score of a range of forecasts with its interval."""

from dataclasses import dataclass

import numpy as np

from ensemble.arrays import Floats
from ensemble.evaluation.estimate import Z_95, Estimate, from_draws
from ensemble.evaluation.overlap import overlap_freedom, overlap_variance
from ensemble.evaluation.resampling import block_length, session_weights
from ensemble.evaluation.roc_area import RocArea, fold_auc, pooled_auc
from ensemble.evaluation.scored import Scored
from ensemble.evaluation.sides import Sides
from ensemble.long_run import rows_for_one

NO_SHARES = ("mcc", "log_loss", "log_loss_skill", "brier_skill")
"""Scores that may lie outside 0 to 1."""
LEAST = 1e-15
"""No forecast of 0 or 1 costs more than its log loss, 34.5 nats."""


@dataclass(frozen=True, slots=True)
class Scores:
    """The forecasts of one label whose outcome is known. Shares are of 1; above one half says up."""

    sessions: int
    forecasts: int
    effective_forecasts: float
    """As many independent forecasts would say as much: stocks of a session move together, labels may overlap."""
    up_share: float
    said_up_share: float
    accuracy: Estimate
    balanced_accuracy: Estimate
    precision: Estimate
    recall: Estimate
    f1: Estimate
    mcc: Estimate
    auc: RocArea
    """Pooled; lies below one half in a walk-forward without skill."""
    fold_auc: RocArea
    """Mean over months, for a single symbol over quarters."""
    log_loss: Estimate
    """Nats a forecast."""
    brier: Estimate
    log_loss_skill: Estimate
    """1 - log loss / that of the base rate known at the time; NaN without one."""
    brier_skill: Estimate


def score(scored: Scored, *, base_rate: Floats | None = None, draws: int = 1000, seed: int = 0) -> Scores:
    """All scores of `scored` with 95 % intervals. Raises ValueError when no outcome is known.

    `base_rate` (n_symbols, n_sessions) is what the skill is measured against, see `baselines.base_rate`. The AUC has
    DeLong's interval, its fold average Student's over the folds. The others' come from `draws` stationary bootstrap
    resamples of whole sessions (Politis and Romano 1994), in blocks that are longer than labels overlap; where labels
    do, they are stretched to what `_stretch` says.
    """
    if not scored.known.any():
        raise ValueError(f"no outcome of {scored.label} is known in this range; choose an earlier one.")
    base = np.full(scored.outcome.shape, np.nan) if base_rate is None else base_rate
    sums = _session_sums(scored, base)
    right = (sums[:, 0] + sums[:, 3]) / sums[:, :4].sum(axis=1)
    block = block_length(right, horizon=scored.horizon)
    weights = session_weights(len(sums), block=block, draws=draws, seed=seed)
    whole, resampled = _means(sums.sum(axis=0)[None]), _means(weights @ sums)
    stretch = _stretch(sums, resampled, horizon=scored.horizon)
    sides = Sides(*(float(count) for count in sums.sum(axis=0)[:4]))
    return Scores(
        sessions=len(sums),
        forecasts=int(scored.known.sum()),
        effective_forecasts=effective_forecasts(scored),
        up_share=float(sides.up_share),
        said_up_share=float(sides.said_up_share),
        auc=pooled_auc(scored),
        fold_auc=fold_auc(scored),
        **{name: _interval(name, float(whole[name][0]), resampled[name], stretch[name]) for name in whole},
    )


def effective_forecasts(scored: Scored) -> float:
    """How many independent forecasts say as much as these. Kish (1965), see `rows_for_one`."""
    errors = np.where(scored.known, scored.outcome - scored.probability, np.nan)
    return float(scored.known.sum()) / rows_for_one(errors, lags=scored.lags)


def log_losses(probability: Floats, outcome: Floats) -> Floats:
    """-log p(what happened), nats, elementwise; NaN where either is."""
    said = np.where(outcome > 0.5, probability, 1 - probability)
    unknown = np.isnan(probability) | np.isnan(outcome)
    return np.where(unknown, np.nan, -np.log(np.clip(said, LEAST, 1)))


def _interval(name: str, value: float, draws: Floats, stretch: float) -> Estimate:
    found = from_draws(value, draws, stretch=stretch)
    return (
        found if name in NO_SHARES else Estimate(value, *(float(np.clip(end, 0, 1)) for end in (found.low, found.high)))
    )


def _stretch(sums: Floats, resampled: dict[str, Floats], *, horizon: int) -> dict[str, float]:
    """By how much each score's interval from resamples falls short where labels overlap; 1 where they do not.

    Resampling in blocks of b sessions weighs covariances down as they near b, and knows few blocks: its intervals hold
    90 % instead of 95. They get the width of Student's, with the variance of `overlap_variance`, of what each session
    pulls the score by (the jackknife's pseudo-values, Quenouille 1956, Tukey 1958).
    """
    from scipy import stats

    count = len(sums)
    if horizon == 1 or count < 2:
        return dict.fromkeys(resampled, 1.0)
    student = float(stats.t.ppf(0.975, overlap_freedom(count, horizon=horizon))) / Z_95
    found = {}
    for name, without_one in _means(sums.sum(axis=0) - sums).items():
        drawn, pulls = resampled[name][np.isfinite(resampled[name])], without_one[np.isfinite(without_one)]
        spread = float(drawn.std()) if len(drawn) else 0.0
        error = float(np.sqrt((count - 1) * overlap_variance(pulls, horizon=horizon))) if len(pulls) == count else 0.0
        found[name] = max(student * error / spread, 1.0) if spread > 0 else 1.0
    return found


def _session_sums(scored: Scored, base: Floats) -> Floats:
    """What the scores are ratios of, summed over the stocks of a session: (n_sessions with any, 10)."""
    known, up, went_up = scored.known, scored.probability > 0.5, scored.outcome > 0.5
    losses, squares = log_losses(scored.probability, scored.outcome), (scored.probability - scored.outcome) ** 2
    base_losses, base_squares = log_losses(base, scored.outcome), (base - scored.outcome) ** 2
    beside = np.isfinite(base)
    terms = (
        up & went_up,
        up & ~went_up,
        ~up & went_up,
        ~up & ~went_up,
        losses,
        squares,
        np.where(beside, losses, 0.0),
        base_losses,
        np.where(beside, squares, 0.0),
        base_squares,
    )
    sums = np.stack([np.where(known & np.isfinite(term), term, 0.0).sum(axis=0) for term in terms], axis=1)
    return sums[known.any(axis=0)]


def _means(sums: Floats) -> dict[str, Floats]:
    """Scores by name, (n,) each, of n rows of `_session_sums` added up."""
    sides = Sides(*sums[:, :4].T)
    losses, squares, beside_losses, base_losses, beside_squares, base_squares = sums[:, 4:].T
    with np.errstate(invalid="ignore", divide="ignore"):
        return {
            "accuracy": sides.accuracy,
            "balanced_accuracy": sides.balanced_accuracy,
            "precision": sides.precision,
            "recall": sides.recall,
            "f1": sides.f1,
            "mcc": sides.mcc,
            "log_loss": losses / sides.forecasts,
            "brier": squares / sides.forecasts,
            "log_loss_skill": 1 - beside_losses / base_losses,
            "brier_skill": 1 - beside_squares / base_squares,
        }
