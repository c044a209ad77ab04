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
    # By places: a frame's own pivot takes ten times as long, and live forecasts are looked at after each settlement.
    places, symbols = pd.factorize(rows["symbol"].to_numpy(dtype=object), sort=True)
    columns, sessions = pd.factorize(rows["session"].to_numpy(), sort=True)
    probability, outcome = np.full((2, len(symbols), len(sessions)), np.nan)
    probability[places, columns] = rows["probability"].to_numpy(np.float64, na_value=np.nan)
    outcome[places, columns] = rows["outcome"].to_numpy(np.float64, na_value=np.nan)
    return Scored(label, pd.DatetimeIndex(sessions), tuple(map(str, symbols)), probability, outcome, horizon)
