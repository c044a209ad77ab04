"""What an account did over a range of sessions: growth, risk, drawdown, trades, costs, and how much it was invested."""

from dataclasses import dataclass

import numpy as np

from ensemble.evaluation.account_path import AccountPath
from ensemble.evaluation.drawdown import Drawdown, deepest_drawdown
from ensemble.evaluation.return_figures import SESSIONS_A_YEAR, ReturnFigures, return_figures
from ensemble.evaluation.trade_figures import CostFigures, TradeFigures, cost_figures, trade_figures
from ensemble.trading.costs import Costs


@dataclass(frozen=True, slots=True)
class Performance:
    """One account. A year has 252 sessions; None where a figure is not defined."""

    sessions: int
    risk_free_pct: float
    """A year: what Sharpe and Sortino ratio count from."""
    returns: ReturnFigures
    drawdown: Drawdown | None
    """None when the equity never fell below a peak."""
    trades: TradeFigures
    costs: CostFigures
    exposure_pct: float
    """Mean share of the equity that was in shares; what came and went in one session counts in it."""
    invested_sessions_pct: float
    """Share of the sessions in which something was held."""
    turnover_a_year: float
    """Shares bought and sold by closed positions, half of their sum a year, in multiples of the mean equity."""


@dataclass(frozen=True, slots=True)
class Part:
    """Closed positions that have something in common."""

    name: str
    trades: TradeFigures
    return_pct: float | None = None
    """Of the whole account in the part of the range that it names; None for one that is no part of the range."""


def performance(path: AccountPath, *, costs: Costs, risk_free_pct: float) -> Performance:
    """The figures of an account that was marked at least once."""
    equity, invested, sessions = path.equity, path.invested, path.sessions
    years, mean_equity = len(sessions) / SESSIONS_A_YEAR, float(equity.mean())
    traded = sum(trade.quantity * (trade.entry_price + trade.exit_price) for trade in path.trades) / 2
    return Performance(
        sessions=len(sessions),
        risk_free_pct=risk_free_pct,
        returns=return_figures(path.returns, risk_free_pct=risk_free_pct),
        drawdown=deepest_drawdown(equity, capital=path.capital, sessions=sessions),
        trades=trade_figures(path.trades, sessions),
        costs=cost_figures(path.trades, costs=costs, mean_equity=mean_equity, years=years),
        exposure_pct=100 * float(invested.mean()),
        invested_sessions_pct=100 * float(np.mean(invested > 0)),
        turnover_a_year=traded / years / mean_equity,
    )


def by_exit_reason(path: AccountPath) -> tuple[Part, ...]:
    """The trades that each reason closed, in the alphabet's order."""
    reasons = sorted({str(trade.exit_reason) for trade in path.trades})
    return tuple(
        Part(reason, trade_figures([one for one in path.trades if one.exit_reason == reason], path.sessions))
        for reason in reasons
    )


def by_year(path: AccountPath) -> tuple[Part, ...]:
    """Each year of the range: what the account gained in it, and the trades that were closed in it."""
    growth = path.returns + 1
    years = [session.year for session in path.sessions]
    return tuple(
        Part(
            str(year),
            trade_figures([one for one in path.trades if one.exit_session.year == year], path.sessions),
            100 * (float(np.prod(growth[np.equal(years, year)])) - 1),
        )
        for year in dict.fromkeys(years)
    )
