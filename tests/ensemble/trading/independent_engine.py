"""backtesting.py as an oracle: the same probabilities through somebody else's strategy, broker and ledger.

A session is shown to it as three bars: the opening auction at one price, the session, the closing auction at one
price. So a stop can be set from the fill, a gap be filled before what follows it, and a position be closed at a
close, all by its public interface. What nobody can trade in is not shown: locked bars, and sessions without a bar.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from backtesting import Backtest, Strategy

from tests.ensemble.trading.plans import Plan

OPENING, SESSION, CLOSING = range(3)
"""The three bars of a session."""


@dataclass(frozen=True, slots=True)
class TheirTrade:
    """A closed trade; sessions are places in `Plan.bars`, `profit` is after both commissions."""

    direction: str
    quantity: int
    entry_session: int
    entry_price: float
    exit_session: int
    exit_price: float
    exit_reason: str
    cost: float
    profit: float


@dataclass(frozen=True, slots=True)
class Independent:
    """What their broker made of it."""

    trades: tuple[TheirTrade, ...]
    equity: dict[int, float]
    """At the close of each session that was shown."""


def trade_independently(plan: Plan) -> Independent:
    """The plan in backtesting.py's hands."""
    shown = [session for session, bar in enumerate(plan.bars) if bar is not None and bar.high > bar.low]
    costs = {"commission": plan.commission_bp / 10_000, "spread": plan.entry_slippage_bp / 10_000}
    theirs = Backtest(_rows(plan, shown), _Follower, cash=plan.cash, **costs)
    stats = statistics(theirs, plan=plan, known=_Known.of(plan, shown))
    equity = stats["_equity_curve"]["Equity"].to_numpy()
    trades = stats["_trades"].sort_values("EntryBar").itertuples(index=False)
    return Independent(
        tuple(_their_trade(trade, stats["_strategy"]) for trade in trades),
        {session: float(equity[_row(place, CLOSING)]) for place, session in enumerate(shown)},
    )


def statistics(theirs: Backtest, **parameters: Any) -> Any:
    """Their statistics of a run; what they warn of, as trades that stay open at the end, is no failure here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return theirs.run(**parameters)


@dataclass(frozen=True, slots=True)
class _Known:
    """By row that is shown: the session, the one decided next, and how old a position gets."""

    sessions: Sequence[int]
    ages: Sequence[int]
    """How many sessions had a bar so far, by session."""
    closes: Sequence[float]
    """The last close known when a session is decided, by session."""

    @classmethod
    def of(cls, plan: Plan, shown: Sequence[int]) -> "_Known":
        closes = pd.Series([np.nan if bar is None else bar.close for bar in plan.bars]).shift().ffill()
        ages = np.cumsum([bar is not None for bar in plan.bars])
        return cls(shown, ages.tolist(), closes.tolist())


class _Follower(Strategy):  # type: ignore[misc]  # it has no types
    """Acts on sure probabilities: enters when flat, closes what they speak against."""

    plan: Any = None
    known: Any = None

    def init(self) -> None:
        self.quantity = 0
        self.value_limit = 0.0

    def next(self) -> None:
        place, phase = _session_of(len(self.data) - 1)
        if phase == CLOSING and place + 1 < len(self.known.sessions):
            self._before_open(self.known.sessions[place + 1])
        elif phase == OPENING:
            self._at_open()
        elif phase == SESSION:
            self._before_close(self.known.sessions[place])

    def _before_open(self, session: int) -> None:
        wish, close = wish_of(self.plan, session), self.known.closes[session]
        opens = wish > 0 or (wish < 0 and self.plan.product == "futures")
        self.quantity = 0
        if self.position:
            if wish * self.position.size < 0:
                self.position.close()
        elif opens and close == close and not self._cools_down(session):
            self.value_limit = self.equity * self.plan.position_pct / 100
            self.quantity = wish * int(self.value_limit // close)

    def _cools_down(self, session: int) -> bool:
        """A stop may have closed the last trade alone: nothing is entered while it cools down."""
        for trade in self.closed_trades[-1:]:
            stopped, reason = _exit_of(trade.exit_bar, trade.exit_price, trade.sl, trade.size, self)
            return reason == "STOP" and session <= stopped + self.plan.cool_down_sessions
        return False

    def _at_open(self) -> None:
        """The order is filled at the open of the next bar, which is the price of this one: so its worth is known."""
        sign = 1 if self.quantity > 0 else -1
        fill = self.data.Close[-1] * (1 + sign * self.plan.entry_slippage_bp / 10_000)
        quantity = min(abs(self.quantity), int(self.value_limit // fill))
        if quantity:
            stop, target = 100 - sign * self.plan.stop_loss_pct, 100 + sign * self.plan.take_profit_pct
            order = self.buy if sign > 0 else self.sell
            order(size=quantity, sl=fill * stop / 100, tp=fill * target / 100)

    def _before_close(self, session: int) -> None:
        for trade in self.trades:
            entered = self.known.sessions[_session_of(trade.entry_bar)[0]]
            if self.known.ages[session] - self.known.ages[entered] + 1 >= self.plan.max_holding_sessions:
                trade.close()


def _rows(plan: Plan, shown: Sequence[int]) -> pd.DataFrame:
    """Three bars a session, behind one in which nothing can be done yet and one for the first decision."""
    prices: list[tuple[float, float, float, float]] = []
    for bar in (plan.bars[session] for session in shown):
        assert bar is not None
        prices += [(bar.open,) * 4, (bar.open, bar.high, bar.low, bar.close), (bar.close,) * 4]
    hours = pd.date_range("1970-01-01", periods=len(prices) + 2, freq="8h")
    return pd.DataFrame([*prices[:1] * 2, *prices], hours, ["Open", "High", "Low", "Close"])


def _row(place: int, phase: int) -> int:
    return 2 + 3 * place + phase


def _session_of(row: int) -> tuple[int, int]:
    """Place of the session that the row shows, and which of its three bars it is."""
    return divmod(row - 2, 3)


def _their_trade(trade: Any, follower: _Follower) -> TheirTrade:
    session, reason = _exit_of(trade.ExitBar, trade.ExitPrice, trade.SL, trade.Size, follower)
    return TheirTrade(
        direction="LONG" if trade.Size > 0 else "SHORT",
        quantity=abs(int(trade.Size)),
        entry_session=follower.known.sessions[_session_of(trade.EntryBar)[0]],
        entry_price=float(trade.EntryPrice),
        exit_session=session,
        exit_price=float(trade.ExitPrice),
        exit_reason=reason,
        cost=float(trade.Commission),
        profit=float(trade.PnL),
    )


def _exit_of(row: int, price: float, stop: float, size: float, follower: _Follower) -> tuple[int, str]:
    """The session of an exit in that row, and why it was: they do not say."""
    place, phase = _session_of(row)
    session: int = follower.known.sessions[place]
    if phase == CLOSING:
        return session, "TIME"
    if phase == OPENING and wish_of(follower.plan, session) * size < 0:
        return session, "SIGNAL"
    beyond = price <= stop if size > 0 else price >= stop
    return session, "STOP" if beyond else "TARGET"


def wish_of(plan: Plan, session: int) -> int:
    """1 for a sure rise, -1 for a sure fall, 0 for neither; of cash shares a fall is acted on by selling only."""
    probability = plan.probabilities[session]
    return (probability >= plan.min_confidence) - (1 - probability >= plan.min_confidence)
