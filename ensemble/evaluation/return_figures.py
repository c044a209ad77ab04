"""What returns come to a year, how much they vary and how deep they fall: the only importer of empyrical.

Returns are simple, one a session, as shares of 1. A year has 252 sessions, as is usual, whatever the exchange.
"""

import sys
from dataclasses import dataclass
from types import ModuleType

import numpy as np

from ensemble.arrays import Floats

SESSIONS_A_YEAR = 252


@dataclass(frozen=True, slots=True)
class ReturnFigures:
    """One series of returns; None where a figure is not defined."""

    total_return_pct: float | None
    cagr_pct: float | None
    """Growth a year, compounded."""
    volatility_pct: float | None
    """Standard deviation of the returns, a year."""
    sharpe: float | None
    """Mean over standard deviation of the returns above the risk-free rate, a year. Sharpe (1994)."""
    sortino: float | None
    """The same over the root mean square of what lies below the risk-free rate. Sortino and Price (1994)."""
    calmar: float | None
    """Growth a year over the deepest drawdown. Young (1991)."""
    max_drawdown_pct: float | None
    """Deepest fall below the highest equity before it, the capital at the start included; 0 or more."""


RETURN_FIGURES: tuple[str, ...] = tuple(ReturnFigures.__dataclass_fields__)


def return_figures(returns: Floats, *, risk_free_pct: float) -> ReturnFigures:
    """The figures of one series (n_sessions,). What is a year's takes two sessions, a ratio something to divide by."""
    table = figure_table(returns[:, None], risk_free_pct=risk_free_pct)
    return ReturnFigures(**{name: float(row[0]) if np.isfinite(row[0]) else None for name, row in table.items()})


def figure_table(returns: Floats, *, risk_free_pct: float) -> dict[str, Floats]:
    """Name -> figure of each of many series, (n_series,), from returns (n_sessions, n_series); NaN: not defined."""
    with np.errstate(over="ignore"):  # what a handful of sessions compound to in a year may be beyond all numbers
        table = _by_empyrical(returns, risk_free_a_session(risk_free_pct))
    return {name: np.where(np.isfinite(row), row + 0.0, np.nan) for name, row in table.items()}  # no -0.0


def _by_empyrical(returns: Floats, risk_free: float) -> dict[str, Floats]:
    empyrical = _library()
    undefined = np.full(returns.shape[1], np.nan)
    enough = len(returns) > 1
    growth = empyrical.annual_return(returns) if enough else undefined
    fall = empyrical.max_drawdown(returns)
    # Money that lies still has no ratio; below a risk-free rate empyrical gives it -15.9, the root of a year.
    moving = np.ptp(returns, axis=0) > 0 if enough else np.zeros(returns.shape[1], dtype=np.bool_)
    return {
        "total_return_pct": 100 * np.asarray(empyrical.cum_returns_final(returns)) if len(returns) else undefined,
        "cagr_pct": 100 * growth,
        "volatility_pct": 100 * empyrical.annual_volatility(returns),
        "sharpe": empyrical.sharpe_ratio(returns, risk_free=risk_free),
        "sortino": np.where(moving, empyrical.sortino_ratio(returns, required_return=risk_free), np.nan),
        # Its own Calmar ratio takes one series at a time.
        "calmar": np.divide(growth, -fall, out=undefined.copy(), where=fall < 0),
        "max_drawdown_pct": -100 * fall,
    }


def _library() -> ModuleType:
    """empyrical without yfinance, which it loads where there is one, to download what is not wanted here.

    None in place of a module is Python's own way of saying that there is none.
    """
    absent = "yfinance" not in sys.modules
    if absent:
        sys.modules["yfinance"] = None  # type: ignore[assignment]  # see importlib's documentation of sys.modules
    try:
        import empyrical
    finally:
        if absent:
            del sys.modules["yfinance"]
    return empyrical  # type: ignore[no-any-return]  # it has no types


def risk_free_a_session(risk_free_pct: float) -> float:
    """The return of a session that compounds to `risk_free_pct` % a year."""
    return float((1 + risk_free_pct / 100) ** (1 / SESSIONS_A_YEAR) - 1)
