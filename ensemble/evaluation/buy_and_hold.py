"""The baseline of whoever does nothing: the same symbols bought at the first open, and kept."""

from collections.abc import Mapping, Sequence
from datetime import date

import numpy as np
import pandas as pd

from ensemble.arrays import Floats
from ensemble.trading.costs import Product, Side, buy_price
from ensemble.trading.rules import TradingRules


def hold_returns(bars: Mapping[str, pd.DataFrame], sessions: Sequence[date], rules: TradingRules) -> Floats:
    """Simple returns, (n_sessions,), of equal parts of the capital in each symbol of `bars`, complete bars frames.

    Each part buys at the symbol's first open of the range in which anybody could, with slippage and fees; it lies in
    cash until then, is never sold, and earns dividends, which are invested again: its value follows the adjusted close.
    """
    part = rules.limits.initial_capital / len(bars)
    index = pd.DatetimeIndex([pd.Timestamp(session) for session in sessions])
    values = sum(_value(frame.reindex(index), part, sessions, rules) for frame in bars.values())
    equity = np.concatenate([[rules.limits.initial_capital], np.asarray(values)])
    return np.asarray(equity[1:] / equity[:-1] - 1)


def scaled_returns(returns: Floats, share: float) -> Floats:
    """The returns of whoever keeps `share` of the equity so invested and the rest in cash, which earns nothing."""
    return share * returns


def _value(bars: pd.DataFrame, part: float, sessions: Sequence[date], rules: TradingRules) -> Floats:
    """What `part` in one symbol is worth at the closes, (n_sessions,); `bars` has a row a session, NaN for no bar."""
    price = {name: bars[name].to_numpy(np.float64) for name in ("open", "high", "low", "close", "adj_close")}
    open_to_buyers = np.flatnonzero(np.isfinite(price["open"]) & ~np.equal(price["high"], price["low"]))
    if not len(open_to_buyers):
        return np.full(len(sessions), part)
    first = int(open_to_buyers[0])
    fees = rules.fees(Side.BUY, part, session=sessions[first], product=Product.DELIVERY)
    invested = part * part / (part + fees)  # exact where fees go with the value
    at_close = invested * price["close"][first] / buy_price(float(price["open"][first]), rules.costs)
    adjusted = pd.Series(price["adj_close"]).ffill().to_numpy()
    return np.where(np.arange(len(sessions)) < first, part, at_close * adjusted / adjusted[first])
