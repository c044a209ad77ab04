"""Forecasts of one label beside what came of them: what every score, baseline and test is worked out from."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from ensemble.arrays import Floats, Mask
from ensemble.labels import LABELS, label_horizon
from ensemble.trading.limits import RiskLimits


@dataclass(frozen=True, slots=True)
class Scored:
    """One label's forecasts and outcomes; the stocks of one session move together, and longer labels overlap."""

    label: str
    sessions: pd.DatetimeIndex
    """(n_sessions,), increasing."""
    symbols: tuple[str, ...]
    probability: Floats
    """P(outcome is 1), (n_symbols, n_sessions), NaN where nothing was said."""
    outcome: Floats
    """1, 0 or NaN where it is not known, (n_symbols, n_sessions)."""
    horizon: int
    """Sessions that the label reaches over, its own included: 1 unless labels of neighbouring sessions overlap."""

    @property
    def known(self) -> Mask:
        """Where there is a forecast and its outcome, (n_symbols, n_sessions)."""
        return np.isfinite(self.probability) & np.isfinite(self.outcome)

    @property
    def lags(self) -> int:
        """Sessions on either side whose errors count as one's own: twice the overlap, 0 without one.

        The weights of Newey and West (1987) fall to zero; over the overlap alone they would miss a third of it.
        """
        return 2 * (self.horizon - 1)

    def flat(self) -> tuple[Floats, Floats]:
        """Probability and outcome of all forecasts whose outcome is known, (n,) each, oldest session first."""
        known = self.known.T
        return self.probability.T[known], self.outcome.T[known]

    def saying(self, probability: Floats) -> "Scored":
        """The same sessions and outcomes with another's forecasts, (n_symbols, n_sessions). Raises ValueError."""
        if probability.shape != self.outcome.shape:
            raise ValueError(
                f"the other forecasts had the shape {probability.shape}; {self.outcome.shape} was expected, "
                "symbols by sessions."
            )
        return replace(self, probability=probability)

    def where(self, mask: Mask) -> "Scored":
        """The same with the forecasts outside `mask`, (n_symbols, n_sessions), left out."""
        return replace(self, probability=np.where(mask, self.probability, np.nan))


def scored_labels(rows: pd.DataFrame, limits: RiskLimits) -> Mapping[str, Scored]:
    """Label -> its forecasts, for the labels that have some.

    `rows` has one row a forecast: session, symbol, label, probability, outcome (0, 1 or missing).
    """
    return {
        label: _scored(label, part, label_horizon(label, limits) + 1)
        for label in LABELS
        if len(part := rows[rows["label"] == label])
    }


def _scored(label: str, rows: pd.DataFrame, horizon: int) -> Scored:
    wide = rows.pivot(index="symbol", columns="session", values=["probability", "outcome"]).astype(np.float64)
    sessions, symbols = wide["probability"].columns, tuple(str(symbol) for symbol in wide.index)
    probability, outcome = (wide[name].to_numpy(np.float64) for name in ("probability", "outcome"))
    return Scored(label, pd.DatetimeIndex(sessions), symbols, probability, outcome, horizon)
