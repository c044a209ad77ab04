"""The walk-forward plan and its rolling windows: which rows a month's models learn from. The only splitter there is."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from pydantic import Field

from ensemble.arrays import Singles
from ensemble.labels import LABELS, label_horizon
from ensemble.options import Options
from ensemble.panel import Panel
from ensemble.trading.limits import RiskLimits


@dataclass(frozen=True, slots=True)
class Fold:
    """One month of sessions (`test`) and earlier sessions to learn from (`train`), as rows of a panel."""

    month: str
    """The month that is tested."""
    train: slice
    test: slice


@dataclass(frozen=True, slots=True)
class Window:
    """What a member learns from; NaN is unknown."""

    values: Singles
    """(n_symbols, n_rows, n_features)."""
    labels: Singles
    """(n_symbols, n_rows, n_labels)."""
    embargo_rows: int
    """Rows that the longest label reaches past its own: what a split inside the window has to leave out."""


class WindowError(ValueError):
    """There are not enough sessions to learn from."""


def month_of(session: pd.Timestamp) -> str:
    """The session's month, as in "2021-10"."""
    return f"{session:%Y-%m}"


class WalkForward(Options):
    """How time is walked through: who serves which month, and what was learnt from. Part of the [ensemble] table.

    Between training and test lie the embargo and, inside the window, the purge: a label counts as known only when its
    end lies before the embargo. The purge follows from the labels and is no option.
    """

    window_years: int = Field(8, ge=1, le=50, description="how far back a month's members learn, years")
    min_sessions: int = Field(
        500, ge=120, le=10_000, description="sessions that must precede a month before it is forecast"
    )
    retrain: Literal["monthly", "quarterly"] = Field(
        "monthly", description="how long a model serves; quarterly: the model of January serves until March"
    )
    embargo_sessions: int = Field(
        0, ge=0, le=250, description="sessions before a model's first month that it learns nothing from"
    )

    def serving(self, month: str) -> str:
        """The month whose model serves `month`: itself, or the first of its quarter."""
        if self.retrain == "monthly":
            return month
        return f"{pd.Period(month, 'M').asfreq('Q').asfreq('M', how='start')}"

    def fold(self, sessions: pd.DatetimeIndex, month: str) -> Fold:
        """The fold of `month`. Raises WindowError when too few sessions precede its model or it has none itself."""
        first = pd.Timestamp(f"{month}-01")
        trained = pd.Timestamp(f"{self.serving(month)}-01")
        starts = (trained - pd.DateOffset(years=self.window_years), trained, first, first + pd.offsets.MonthBegin(1))
        begin, end, start, stop = (int(place) for place in sessions.searchsorted(pd.DatetimeIndex(starts)))
        end = max(end - self.embargo_sessions, begin)
        if stop == start:
            raise WindowError(
                f"{month} has no session in the panel; choose a month between its first and last session."
            )
        if end - begin < self.min_sessions:
            raise WindowError(
                f"{end - begin} sessions precede the model of {self.serving(month)}; "
                f"ensemble.min_sessions asks for {self.min_sessions}. Start later, or lower it."
            )
        return Fold(month, slice(begin, end), slice(start, stop))


def months_before(month: str, count: int) -> tuple[str, ...]:
    """The `count` months before `month`, oldest first."""
    return tuple(str(period) for period in pd.period_range(end=pd.Period(month, "M") - 1, periods=count, freq="M"))


def training_window(panel: Panel, fold: Fold, limits: RiskLimits) -> Window:
    """The fold's training rows; labels not known before the row after them are NaN (the purge)."""
    labels = known_labels(panel, fold.train, before=fold.train.stop, limits=limits)
    return Window(panel.values[:, fold.train], labels, max(label_horizon(label, limits) for label in LABELS))


def check_window(window: Window, month: str, *, min_sessions: int) -> None:
    """Raises WindowError when no symbol has `min_sessions` rows with a known outcome: a calendar teaches nothing."""
    known = int(np.isfinite(window.labels).any(axis=2).sum(axis=1).max(initial=0))
    if known < min_sessions:
        raise WindowError(
            f"{known} sessions with bars precede {month}; ensemble.min_sessions asks for {min_sessions}. "
            "Start later, lower it, or give more history."
        )


def known_labels(panel: Panel, rows: slice, *, before: int, limits: RiskLimits) -> Singles:
    """Labels of `rows` whose end lies before row `before`, else NaN: (n_symbols, n_rows, n_labels).

    Purging goes by the longest horizon, not by the actual exit: early exits alone would be a biased sample.
    """
    labels = panel.labels[:, rows].copy()
    row = np.arange(rows.start, rows.stop)
    for column, label in enumerate(LABELS):
        labels[:, row + label_horizon(label, limits) >= before, column] = np.nan
    return labels
