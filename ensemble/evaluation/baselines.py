"""What needs no model: forecasts that a constant, yesterday, or the volatility alone would have made in time."""

from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ensemble.arrays import Floats, Integers
from ensemble.evaluation.history import History
from ensemble.evaluation.probit import fit_probit
from ensemble.evaluation.scored import Scored

LEAST_REPEATED = 0.501
"""Yesterday's sign always takes yesterday's side, also where it has been wrong more often than right."""
MIN_ROWS = 250
"""Rows that the probit is fitted on at least; before, it says the base rate."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """A simple forecaster beside the one that is judged, of the same shape."""

    name: str
    probability: Floats
    """P(label is 1), (n_symbols, n_sessions)."""
    has_loss: bool = True
    """False for one that takes a side and names no chance: its log loss and Brier score say nothing."""
    has_ranking: bool = True
    """False for one that hardly changes from session to session: its AUC says nothing, or points backwards."""


def baselines(scored: Scored, history: History) -> tuple[Baseline, ...]:
    """Those that need no member: always up, the base rate so far, yesterday's sign, volatility alone.

    They speak where the forecasts of `scored` do, so that all are scored on the same rows.
    """
    spoken = np.isfinite(scored.probability)

    def beside(values: Floats) -> Floats:
        return np.where(spoken, history.beside(scored, values), np.nan)

    return (
        Baseline("always up", np.where(spoken, 1.0, np.nan), has_loss=False, has_ranking=False),
        Baseline("base rate so far", beside(base_rate_so_far(history)), has_ranking=False),
        Baseline("yesterday's sign", beside(yesterdays_sign(history))),
        Baseline("volatility probit", beside(volatility_probit(history))),
    )


def base_rate(scored: Scored, history: History) -> Floats:
    """The share of ups so far, of each symbol, beside the forecasts: what skill is measured against."""
    return history.beside(scored, base_rate_so_far(history))


def member_baseline(scored: Scored, rows: pd.DataFrame, member: str) -> Baseline | None:
    """What one member of the ensemble said alone; None where it said nothing about this label.

    `rows` has one row a forecast: session, symbol, label, member, probability.
    """
    own = rows[(rows["label"] == scored.label) & (rows["member"] == member)]
    if own.empty:
        return None
    wide = own.pivot(index="symbol", columns="session", values="probability")
    beside = wide.reindex(index=pd.Index(scored.symbols), columns=scored.sessions)
    return Baseline(member, beside.to_numpy(dtype=np.float64))


def base_rate_so_far(history: History) -> Floats:
    """(ups + 1) / (outcomes + 2) among those known before the session, a symbol at a time: Laplace's rule.

    Shape (n_symbols, n_sessions); one half at the beginning.
    """
    return _share_so_far(history.outcome, history.horizon)


def yesterdays_sign(history: History) -> Floats:
    """The newest outcome known again, with the chance that it has repeated itself so far, (n_symbols, n_sessions)."""
    newest = pd.DataFrame(_known_later(history.outcome, history.horizon)).ffill(axis=1).to_numpy(np.float64)
    repeated = np.where(np.isnan(newest) | np.isnan(history.outcome), np.nan, newest == history.outcome)
    chance = np.maximum(_share_so_far(repeated, history.horizon), LEAST_REPEATED)
    said: Floats = np.where(newest > 0.5, chance, 1 - chance)
    return np.where(np.isnan(newest), 0.5, said)


def volatility_probit(history: History) -> Floats:
    """P(up) from 1 / volatility alone, (n_symbols, n_sessions): Christoffersen and Diebold (2006).

    With a drift, calm markets rise more often than wild ones, though nothing is known of the direction. Fitted anew
    each quarter on all earlier rows of all symbols; the base rate so far where nothing could be fitted.
    """
    said = base_rate_so_far(history)
    with np.errstate(divide="ignore"):
        calm = np.where(history.volatility > 0, 0.01 / history.volatility, np.nan)
    start: Floats | None = None
    for rows in _quarters(history.sessions):
        end = max(int(rows[0]) - history.horizon + 1, 0)
        usable = np.isfinite(calm[:, :end]) & np.isfinite(history.outcome[:, :end])
        start = _fitted(calm[:, :end][usable], history.outcome[:, :end][usable], start)
        if start is not None:
            said[:, rows] = _told(calm[:, rows], start, otherwise=said[:, rows])
    return said


def _fitted(calm: Floats, outcomes: Floats, start: Floats | None) -> Floats | None:
    if len(outcomes) < MIN_ROWS or len(np.unique(outcomes)) < 2:
        return None
    with suppress(ValueError):  # volatilities that are all alike, say
        return fit_probit(np.column_stack([np.ones_like(calm), calm]), outcomes, start=start)
    return None


def _told(calm: Floats, coefficients: Floats, *, otherwise: Floats) -> Floats:
    from scipy.special import ndtr

    intercept, slope = coefficients
    return np.where(np.isfinite(calm), ndtr(intercept + slope * calm), otherwise)


def _quarters(sessions: pd.DatetimeIndex) -> list[Integers]:
    quarter, _ = sessions.to_period("Q").factorize()
    return [np.flatnonzero(quarter == one).astype(np.int64) for one in np.unique(quarter)]


def _share_so_far(values: Floats, horizon: int) -> Floats:
    known = _known_later(values, horizon)
    ups, count = np.nan_to_num(known).cumsum(axis=1), np.isfinite(known).cumsum(axis=1)
    return np.asarray((ups + 1) / (count + 2))


def _known_later(values: Floats, horizon: int) -> Floats:
    """Each row's values at the session before which they were first known: `horizon` sessions later."""
    later = np.full(values.shape, np.nan)
    if horizon < values.shape[1]:
        later[:, horizon:] = values[:, :-horizon]
    return later
