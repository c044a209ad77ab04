"""All that is said of an account: its performance with intervals, what doing nothing and chance would have given."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd

from ensemble.arrays import Floats
from ensemble.evaluation.account_path import AccountPath, Line
from ensemble.evaluation.buy_and_hold import hold_returns, scaled_returns
from ensemble.evaluation.drawdown import Drawdown, deepest_drawdown
from ensemble.evaluation.performance import Part, Performance, by_exit_reason, by_year, performance
from ensemble.evaluation.performance_intervals import Interval, performance_intervals, return_intervals
from ensemble.evaluation.random_entries import RandomEntries, random_entries
from ensemble.evaluation.replay import Trader
from ensemble.evaluation.return_figures import ReturnFigures, return_figures
from ensemble.evaluation.sharpe_odds import SharpeOdds, sharpe_odds
from ensemble.evaluation.trade_book import trade_book


@dataclass(frozen=True, slots=True)
class AccountMarket:
    """What the account could have done instead."""

    trader: Trader
    """Decides and settles as the account was, over its sessions."""
    bars: Mapping[str, pd.DataFrame]
    """Complete bars by symbol, of what is traded."""
    turns: Mapping[Line, Collection[date]]
    """Line -> sessions in which its forecast would have closed it, had it been held."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """What somebody else's equity did in the same sessions."""

    returns: ReturnFigures
    drawdown: Drawdown | None
    intervals: Mapping[str, Interval]
    equity: Floats
    """At the closes, (n_sessions,), in currency, from the same capital."""


@dataclass(frozen=True, slots=True)
class AccountReport:
    """One account over one range."""

    performance: Performance
    intervals: Mapping[str, Interval]
    """Figure -> 95 % interval, for those that have one."""
    odds: SharpeOdds | None
    hold: Baseline
    """The same symbols bought at the first open and kept."""
    scaled_hold: Baseline
    """The same, as much of the equity as the account had in shares on average."""
    random: RandomEntries | None
    """None when nothing was entered."""
    by_exit_reason: tuple[Part, ...]
    by_year: tuple[Part, ...]


def account_report(path: AccountPath, market: AccountMarket, *, trials: int, risk_free_pct: float) -> AccountReport:
    """The report of an account that was marked at least once; `trials` is how many like it were ever tried."""
    rules = market.trader.rules
    own = performance(path, costs=rules.costs, risk_free_pct=risk_free_pct)
    held = hold_returns(market.bars, path.sessions, rules)
    scaled = scaled_returns(held, own.exposure_pct / 100)
    return AccountReport(
        performance=own,
        intervals=performance_intervals(path, risk_free_pct=risk_free_pct),
        odds=sharpe_odds(path.returns, trials=trials, risk_free_pct=risk_free_pct),
        hold=_baseline(held, path, risk_free_pct),
        scaled_hold=_baseline(scaled, path, risk_free_pct),
        random=_random(path, market, risk_free_pct),
        by_exit_reason=by_exit_reason(path),
        by_year=by_year(path),
    )


def _random(path: AccountPath, market: AccountMarket, risk_free_pct: float) -> RandomEntries | None:
    habits = path.habits()
    if not habits:
        return None
    books = {line: trade_book(line, market.trader, market.turns.get(line, ())) for line in habits}
    return random_entries(books, habits, limits=market.trader.rules.limits, risk_free_pct=risk_free_pct)


def _baseline(returns: Floats, path: AccountPath, risk_free_pct: float) -> Baseline:
    equity = np.asarray(path.capital * np.cumprod(returns + 1), dtype=np.float64)
    return Baseline(
        returns=return_figures(returns, risk_free_pct=risk_free_pct),
        drawdown=deepest_drawdown(equity, capital=path.capital, sessions=path.sessions),
        intervals=return_intervals(returns, risk_free_pct=risk_free_pct),
        equity=equity,
    )
