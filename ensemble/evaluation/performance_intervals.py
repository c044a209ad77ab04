"""Where an account's figures may really lie: its sessions drawn again, in blocks, so that what followed what stays."""

from collections.abc import Mapping

import numpy as np

from ensemble.arrays import Floats, Integers
from ensemble.evaluation.account_path import AccountPath
from ensemble.evaluation.estimate import Estimate, from_draws
from ensemble.evaluation.resampling import block_length, session_draws
from ensemble.evaluation.return_figures import figure_table
from ensemble.evaluation.share import share
from ensemble.evaluation.trade_figures import trade_returns_bp

Interval = tuple[float, float]
"""Low and high end, 95 %."""
DRAWS = 1000
MIN_SESSIONS = 20
"""Fewer say nothing about how they might have gone otherwise."""


def performance_intervals(path: AccountPath, *, risk_free_pct: float) -> Mapping[str, Interval]:
    """Figure -> its 95 % interval, for the figures of `ReturnFigures`, mean_trade_bp and hit_rate_pct.

    Stationary block bootstrap over sessions (Politis and Romano 1994), percentile intervals; a trade goes with the
    session that it was entered in. The hit rate's is Wilson's (1927). What has none is left out.
    """
    drawn = _drawn(path.returns)
    if drawn is None:
        return _hit_rate(path)
    return _of_returns(path.returns, drawn, risk_free_pct) | _mean_trade(path, drawn) | _hit_rate(path)


def return_intervals(returns: Floats, *, risk_free_pct: float) -> Mapping[str, Interval]:
    """The same for simple returns (n_sessions,) alone."""
    drawn = _drawn(returns)
    return {} if drawn is None else _of_returns(returns, drawn, risk_free_pct)


def _drawn(returns: Floats) -> Integers | None:
    """Which sessions stand in each resample, (draws, n_sessions), in blocks as long as the returns remember."""
    if len(returns) < MIN_SESSIONS or np.ptp(returns) == 0:
        return None
    return session_draws(len(returns), block=block_length(returns, horizon=1), draws=DRAWS, seed=0)


def _of_returns(returns: Floats, drawn: Integers, risk_free_pct: float) -> dict[str, Interval]:
    own = figure_table(returns[:, None], risk_free_pct=risk_free_pct)
    table = figure_table(np.ascontiguousarray(returns[drawn].T), risk_free_pct=risk_free_pct)
    return _defined({name: from_draws(float(own[name][0]), table[name]) for name in table})


def _mean_trade(path: AccountPath, drawn: Integers) -> dict[str, Interval]:
    place = {session: number for number, session in enumerate(path.sessions)}
    entered = np.array([place[trade.entry_session] for trade in path.trades], dtype=np.int64)
    gains = trade_returns_bp(path.trades)
    if len(gains) < 2:
        return {}
    count, total = (np.bincount(entered, weights, minlength=len(place)) for weights in (np.ones(len(gains)), gains))
    counts, totals = count[drawn].sum(axis=1), total[drawn].sum(axis=1)
    means = np.divide(totals, counts, out=np.full(len(counts), np.nan), where=counts > 0)
    return _defined({"mean_trade_bp": from_draws(float(gains.mean()), means)})


def _hit_rate(path: AccountPath) -> dict[str, Interval]:
    """Positions entered in one session moved together; those of one symbol never overlap."""
    if not path.trades:
        return {}
    row = {symbol: place for place, symbol in enumerate({trade.symbol for trade in path.trades})}
    column = {session: place for place, session in enumerate({trade.entry_session for trade in path.trades})}
    hits = np.full((len(row), len(column)), np.nan)
    for trade in path.trades:
        hits[row[trade.symbol], column[trade.entry_session]] = trade.profit > 0
    found = share(hits, lags=0)
    return {"hit_rate_pct": (100 * found.low, 100 * found.high)}


def _defined(estimates: Mapping[str, Estimate]) -> dict[str, Interval]:
    return {name: (one.low, one.high) for name, one in estimates.items() if np.isfinite([one.low, one.high]).all()}
