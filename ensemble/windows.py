"""Rolling windows: which rows a month's models may learn from. The only splitter there is."""

import hashlib
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ensemble.arrays import Singles
from ensemble.labels import LABELS, label_horizon
from ensemble.panel import Panel
from ensemble.trading.limits import RiskLimits


@dataclass(frozen=True, slots=True)
class Fold:
    """One month of sessions (`test`) and the sessions before it to learn from (`train`), as rows of a panel."""

    month: str
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

    def digest(self) -> str:
        """SHA-256 of everything in it, hexadecimal."""
        digest = hashlib.sha256(f"{self.values.shape} {self.labels.shape} {self.embargo_rows}".encode())
        for array in (self.values, self.labels):
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()


class WindowError(ValueError):
    """There are not enough sessions to learn from."""


def month_of(session: pd.Timestamp) -> str:
    """The session's month, as in "2021-10"."""
    return f"{session:%Y-%m}"


def plan_fold(sessions: pd.DatetimeIndex, month: str, *, window_years: int, min_sessions: int) -> Fold:
    """The fold of `month`. Raises WindowError when fewer than `min_sessions` precede it or it has no session."""
    first = pd.Timestamp(f"{month}-01")
    start = int(sessions.searchsorted(first, side="left"))
    stop = int(sessions.searchsorted(first + pd.offsets.MonthBegin(1), side="left"))
    train = int(sessions.searchsorted(first - pd.DateOffset(years=window_years), side="left"))
    if stop == start:
        raise WindowError(f"{month} has no session in the panel; choose a month between its first and last session.")
    if start - train < min_sessions:
        raise WindowError(
            f"{start - train} sessions precede {month}; ensemble.min_sessions asks for {min_sessions}. "
            "Start later, or lower it."
        )
    return Fold(month, slice(train, start), slice(start, stop))


def months_before(month: str, count: int) -> tuple[str, ...]:
    """The `count` months before `month`, oldest first."""
    return tuple(str(period) for period in pd.period_range(end=pd.Period(month, "M") - 1, periods=count, freq="M"))


def training_window(panel: Panel, fold: Fold, limits: RiskLimits) -> Window:
    """The fold's training rows; labels not known before its test rows begin are NaN (the purge)."""
    labels = known_labels(panel, fold.train, before=fold.test.start, limits=limits)
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
