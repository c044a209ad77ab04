"""What a trade earned when the label came true, and when it did not: past bars under the one fill rule."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import pandas as pd

from ensemble.arrays import Floats
from ensemble.fills import fill_exits, is_locked, stop_price, target_price
from ensemble.labels import label_bars
from ensemble.trading.continuity import Steps, held_over
from ensemble.trading.limits import RiskLimits
from ensemble.trading.session_bars import OHLC

PAYOFF_SESSIONS = 500
"""How many sessions payoffs are told from, the newest whose trades have all ended: two years."""
MIN_TRADES = 50
"""Fewer trades of either kind tell nothing."""
DECIMALS = 9
"""Payoffs are rounded to this: restated bars, whose ratios differ in the 15th digit, then give the same."""


@dataclass(frozen=True, slots=True)
class Payoff:
    """Mean return of a trade entered at the open, as a share of its entry, before costs."""

    if_true: float
    """When the label came true."""
    if_false: float
    mean: float
    """Whether it did or not: what whoever entered every time, without a forecast, has earned."""


@dataclass(frozen=True, slots=True)
class Payoffs:
    """Of a share that is bought, and of one that is sold short."""

    long: Payoff
    short: Payoff


@dataclass(frozen=True, slots=True)
class PastTrades:
    """A trade for each symbol and session, entered at its open: (n_symbols, n_sessions).

    NaN where it can't be told: a missing bar on the way, a locked one at the entry or the end.
    """

    came_true: Floats
    """The label of the entry's session."""
    long: Floats
    """Return of the trade before costs."""
    short: Floats
    holding_sessions: int
    """How long a trade may last."""

    def payoffs(self, known_sessions: int) -> Payoffs | None:
        """From the newest PAYOFF_SESSIONS whose trades had all ended when only the first `known_sessions` had closed.

        All symbols count alike. None with fewer than MIN_TRADES after either outcome.
        """
        stop = max(known_sessions - self.holding_sessions + 1, 0)
        rows = slice(max(stop - PAYOFF_SESSIONS, 0), stop)
        came_true, long, short = self.came_true[:, rows], self.long[:, rows], self.short[:, rows]
        told = np.isfinite(came_true) & np.isfinite(long) & np.isfinite(short)
        true, false = told & (came_true > 0.5), told & (came_true < 0.5)  # no label is one half
        if min(true.sum(), false.sum()) < MIN_TRADES:
            return None
        each = (Payoff(*(_mean(returns[which]) for which in (true, false, told))) for returns in (long, short))
        return Payoffs(*each)


def past_trades(  # noqa: PLR0913  # what is traded, when, on what question, by whose limits
    bars: Mapping[str, pd.DataFrame],
    *,
    sessions: pd.DatetimeIndex,
    label: str,
    limits: RiskLimits,
    asked: RiskLimits,
    steps: Steps = MappingProxyType({}),
) -> PastTrades:
    """Every trade that could have been entered in `sessions` under `limits`, from complete bars frames by symbol.

    `asked` are the limits that the label is answered by. The exits are the stop, the target and the last session held,
    as in the account; no SELL signal ends one sooner. Over `steps` a trade goes on, as the account does, which is given
    what left the price; labels are those of the prices as they were.
    """
    known = [held_over(frame, steps.get(symbol, {})).reindex(sessions) for symbol, frame in bars.items()]
    prices = _Prices(*(np.stack([frame[name].to_numpy(np.float64) for frame in known]) for name in OHLC))
    labels = [label_bars(frame, sessions=sessions, limits=asked)[label].to_numpy() for frame in bars.values()]
    stop_pct, target_pct, holding = limits.stop_loss_pct, limits.take_profit_pct, limits.max_holding_sessions
    return PastTrades(
        came_true=np.stack(labels),
        long=_returns(prices, stop_pct=stop_pct, target_pct=target_pct, holding=holding),
        short=_returns(prices.mirrored(), stop_pct=-stop_pct, target_pct=-target_pct, holding=holding),
        holding_sessions=holding,
    )


@dataclass(frozen=True, slots=True)
class _Prices:
    """(n_symbols, n_sessions) each, NaN where a bar is missing."""

    open: Floats
    high: Floats
    low: Floats
    close: Floats

    def ahead(self, sessions: int) -> "_Prices":
        """The prices of so many sessions later, NaN past the end."""
        missing = np.full((len(self.open), sessions), np.nan)
        later = (np.concatenate([one[:, sessions:], missing], axis=1)[:, : one.shape[1]] for one in self._each())
        return _Prices(*later)

    def mirrored(self) -> "_Prices":
        """Prices below zero: who sells short gains as these rise, and the fill rule reads them as it does others."""
        return _Prices(-self.open, -self.low, -self.high, -self.close)

    def _each(self) -> tuple[Floats, Floats, Floats, Floats]:
        return self.open, self.high, self.low, self.close


def _returns(prices: _Prices, *, stop_pct: float, target_pct: float, holding: int) -> Floats:
    """Gain of a trade entered at each open, as a share of its entry; percentages are negative for mirrored prices."""
    stop, target = stop_price(prices.open, stop_pct), target_price(prices.open, target_pct)
    exit_price = np.full(prices.open.shape, np.nan)
    complete = ~is_locked(prices)
    for step in range(holding):
        bar = prices.ahead(step)
        leaving = fill_exits(bar, stop=stop, target=target, last=step == holding - 1).price
        exit_price = np.where(np.isnan(exit_price), leaving, exit_price)
        complete &= np.isfinite(bar.close)
    return np.where(complete, (exit_price - prices.open) / np.abs(prices.open), np.nan)


def _mean(returns: Floats) -> float:
    return round(float(returns.mean()), DECIMALS)
