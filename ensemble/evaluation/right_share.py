"""How often forecasts were right, beside the constant that always takes the commoner side, with an interval."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ensemble.arrays import Floats
from ensemble.evaluation.estimate import Z_95
from ensemble.labels import LABELS, label_horizon
from ensemble.long_run import long_run_variance
from ensemble.trading.limits import RiskLimits


@dataclass(frozen=True, slots=True)
class LabelScore:
    """The forecasts of one label whose outcome is known."""

    label: str
    sessions: int
    forecasts: int
    right_pct: float
    right_from_pct: float
    right_to_pct: float
    """95 % interval of right_pct: stocks of one session move together and labels overlap, so neither counts twice."""
    constant_pct: float
    """How often always saying the commoner side would have been right. It is known only afterwards."""
    log_loss: float
    base_log_loss: float
    """Log loss of saying the share of ups every time; also known only afterwards."""


def score_labels(scored: pd.DataFrame, limits: RiskLimits) -> tuple[LabelScore, ...]:
    """One score a label that has known outcomes. Columns session, label, probability and outcome (0, 1 or missing)."""
    known = scored[scored["outcome"].notna()]
    return tuple(
        _score(label, known[known["label"] == label], lags=2 * label_horizon(label, limits))  # as `Scored.lags`
        for label in LABELS
        if (known["label"] == label).any()
    )


def _score(label: str, rows: pd.DataFrame, *, lags: int) -> LabelScore:
    probability = rows["probability"].to_numpy(dtype=np.float64)
    outcome = rows["outcome"].to_numpy(dtype=np.float64)
    right = ((probability > 0.5) == (outcome > 0.5)).astype(np.float64)
    by_session = pd.Series(right).groupby(rows["session"].to_numpy()).mean()
    low, high = _interval(by_session.to_numpy(dtype=np.float64), lags=lags)
    ups = float(outcome.mean())
    return LabelScore(
        label=label,
        sessions=int(rows["session"].nunique()),
        forecasts=len(rows),
        right_pct=100 * float(right.mean()),
        right_from_pct=100 * low,
        right_to_pct=100 * high,
        constant_pct=100 * max(ups, 1 - ups),
        log_loss=_log_loss(probability, outcome),
        base_log_loss=_log_loss(np.full(len(rows), ups), outcome),
    )


def _interval(shares: Floats, *, lags: int) -> tuple[float, float]:
    """95 % interval of a mean of per-session shares: Wilson (1927), for as many coins as such a variance is worth."""
    count, mean = len(shares), float(shares.mean())
    variance = long_run_variance(shares, lags=min(lags, count - 1))
    worth = count if variance <= 0 else mean * (1 - mean) / (variance / count)
    centre = (mean + Z_95**2 / (2 * worth)) / (1 + Z_95**2 / worth)
    half = Z_95 / (1 + Z_95**2 / worth) * np.sqrt(mean * (1 - mean) / worth + Z_95**2 / (4 * worth**2))
    return float(centre - half), float(centre + half)


def _log_loss(probability: Floats, outcome: Floats) -> float:
    said = np.clip(np.where(outcome > 0.5, probability, 1 - probability), 1e-15, 1)
    return float(-np.log(said).mean())
