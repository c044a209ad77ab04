"""The paper account: one settled session after another, by the one fill rule and after costs.

Entries are paid from the cash, and take the places, that were free before the open: a sale of the same
session helps none of them. Entries, stops, time exits and SELL signals trade at the market and slip; a target
is a limit order and does not.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from ensemble.fills import ExitReason, fill_exits, is_locked, stop_price, target_price
from ensemble.trading.costs import Product, Side, buy_price, sell_price
from ensemble.trading.limits import RiskLimits
from ensemble.trading.rules import TradingRules
from ensemble.trading.session_bars import Bar
from ensemble.trading.signals import Action, Signal, precedence

__all__ = [
    "Account",
    "AccountMark",
    "ExitReason",
    "Position",
    "Settlement",
    "Trade",
    "open_account",
    "settle",
]


@dataclass(frozen=True, slots=True)
class Position:
    """Shares held after a session. Prices are a share, after slippage; entry_cost is in currency."""

    symbol: str
    quantity: int
    entry_session: date
    entry_price: float
    stop_price: float
    target_price: float
    entry_cost: float
    sessions_held: int
    """Sessions with a bar since the entry, the entry's own included."""
    last_close: float


@dataclass(frozen=True, slots=True)
class Trade:
    """A closed position. `cost` is both sides' commission, `profit` what is left after it, in currency."""

    symbol: str
    quantity: int
    entry_session: date
    entry_price: float
    exit_session: date
    exit_price: float
    exit_reason: ExitReason
    cost: float
    profit: float


@dataclass(frozen=True, slots=True)
class AccountMark:
    """The account as marked at the closes of one session, in currency."""

    session: date
    cash: float
    equity: float
    exposure: float
    positions: int
    peak_equity: float
    drawdown_pct: float
    """How far the equity is below its peak so far, from 0 to 100."""


@dataclass(frozen=True, slots=True)
class Account:
    """What is owned between two sessions; positions in order of their symbols, at most one a symbol."""

    cash: float
    positions: tuple[Position, ...]
    peak_equity: float

    @property
    def exposure(self) -> float:
        """What the positions are worth at the last closes known."""
        return sum((position.quantity * position.last_close for position in self.positions), 0.0)

    @property
    def equity(self) -> float:
        """Cash and positions together."""
        return self.cash + self.exposure

    @property
    def held(self) -> dict[str, int]:
        """Shares by symbol."""
        return {position.symbol: position.quantity for position in self.positions}


@dataclass(frozen=True, slots=True)
class Settlement:
    """One session settled: the account after it, the trades it closed, the mark at its closes."""

    account: Account
    trades: tuple[Trade, ...]
    mark: AccountMark


def open_account(limits: RiskLimits) -> Account:
    """A fresh account that holds `limits.initial_capital` in cash."""
    return Account(cash=limits.initial_capital, positions=(), peak_equity=limits.initial_capital)


def settle(
    account: Account,
    *,
    session: date,
    bars: Mapping[str, Bar],
    signals: Sequence[Signal],
    rules: TradingRules,
) -> Settlement:
    """The account after `session`, what was closed in it, and the mark. Only actionable signals are traded.

    A symbol without a bar, or with a locked one, fills nothing: its position stays, marked at the last close. Raises
    ValueError for a signal of another session and for two signals of one symbol.
    """
    orders = _orders(signals, session)
    entered, cash = _enter(account, orders, bars=bars, rules=rules)
    positions, trades = [], []
    for position in sorted((*account.positions, *entered), key=lambda position: position.symbol):
        bar, order = bars.get(position.symbol), orders.get(position.symbol)
        selling = order is not None and order.action is Action.SELL
        ending = _exit(position, bar, selling=selling, rules=rules) if bar else None
        if ending:
            trades.append(_trade(position, ending, session=session, rules=rules))
            cash += _proceeds(trades[-1], rules)
        else:
            positions.append(_aged(position, bar))
    marked = replace(account, cash=cash, positions=tuple(positions))
    marked = replace(marked, peak_equity=max(account.peak_equity, marked.equity))
    return Settlement(marked, tuple(trades), _mark(marked, session))


def _orders(signals: Sequence[Signal], session: date) -> dict[str, Signal]:
    orders: dict[str, Signal] = {}
    for signal in signals:
        if signal.session != session:
            raise ValueError(f"signal of {signal.symbol} was for {signal.session}; settling takes only {session}")
        if signal.symbol in orders:
            raise ValueError(f"{signal.symbol} had two signals for {session}; it must have one")
        orders[signal.symbol] = signal
    return {symbol: signal for symbol, signal in orders.items() if signal.actionable}


def _enter(
    account: Account, orders: Mapping[str, Signal], *, bars: Mapping[str, Bar], rules: TradingRules
) -> tuple[list[Position], float]:
    """The positions bought at the open, before anything else happened to them, and the cash that is left."""
    held, cash = account.held, account.cash
    places = rules.limits.max_positions - len(held)
    entered: list[Position] = []
    buyers = [order for order in orders.values() if order.action is Action.BUY and order.symbol not in held]
    for order in sorted(buyers, key=precedence):
        if order.symbol not in bars or is_locked(bars[order.symbol]) or len(entered) >= places:
            continue
        price = buy_price(bars[order.symbol].open, rules.costs)
        quantity = _affordable(order, price=price, cash=cash, rules=rules)
        if quantity > 0:
            entered.append(_position(order, price=price, quantity=quantity, rules=rules))
            cash -= _total_cost(quantity, price, session=order.session, rules=rules)
    return entered, cash


def _affordable(order: Signal, *, price: float, cash: float, rules: TradingRules) -> int:
    """As many whole lots of the order's quantity as the cash pays for, fees included."""
    lot, session = rules.limits.lot_size, order.session
    lots = int(min(order.quantity, cash // _total_cost(1, price, session=session, rules=rules))) // lot
    while lots > 0 and _total_cost(lots * lot, price, session=session, rules=rules) > cash:  # division may round up
        lots -= 1
    return lots * lot


def _total_cost(quantity: int, price: float, *, session: date, rules: TradingRules) -> float:
    return quantity * price + _fees(rules, Side.BUY, quantity * price, session)


def _fees(rules: TradingRules, side: Side, value: float, session: date) -> float:
    return rules.fees(side, value, session=session, product=Product.DELIVERY)


def _position(order: Signal, *, price: float, quantity: int, rules: TradingRules) -> Position:
    return Position(
        symbol=order.symbol,
        quantity=quantity,
        entry_session=order.session,
        entry_price=price,
        stop_price=stop_price(price, order.stop_loss_pct),
        target_price=target_price(price, order.take_profit_pct),
        entry_cost=_fees(rules, Side.BUY, quantity * price, order.session),
        sessions_held=0,
        last_close=price,
    )


def _exit(position: Position, bar: Bar, *, selling: bool, rules: TradingRules) -> tuple[float, ExitReason] | None:
    """The price a share leaves at, after slippage, and why; None while the position stays open."""
    if is_locked(bar):
        return None
    if selling:
        return sell_price(bar.open, rules.costs), ExitReason.SIGNAL
    last = position.sessions_held + 1 >= rules.limits.max_holding_sessions
    exits = fill_exits(bar, stop=position.stop_price, target=position.target_price, last=last)
    price = float(exits.price)
    if math.isnan(price):
        return None
    if exits.on_target:
        return price, ExitReason.TARGET
    return sell_price(price, rules.costs), ExitReason.STOP if exits.stopped else ExitReason.TIME


def _trade(position: Position, ending: tuple[float, ExitReason], *, session: date, rules: TradingRules) -> Trade:
    price, reason = ending
    cost = position.entry_cost + _fees(rules, Side.SELL, position.quantity * price, session)
    return Trade(
        symbol=position.symbol,
        quantity=position.quantity,
        entry_session=position.entry_session,
        entry_price=position.entry_price,
        exit_session=session,
        exit_price=price,
        exit_reason=reason,
        cost=cost,
        profit=position.quantity * (price - position.entry_price) - cost,
    )


def _proceeds(trade: Trade, rules: TradingRules) -> float:
    value = trade.quantity * trade.exit_price
    return value - _fees(rules, Side.SELL, value, trade.exit_session)


def _aged(position: Position, bar: Bar | None) -> Position:
    if bar is None:
        return position
    return replace(position, sessions_held=position.sessions_held + 1, last_close=bar.close)


def _mark(account: Account, session: date) -> AccountMark:
    return AccountMark(
        session=session,
        cash=account.cash,
        equity=account.equity,
        exposure=account.exposure,
        positions=len(account.positions),
        peak_equity=account.peak_equity,
        drawdown_pct=100 * (1 - account.equity / account.peak_equity),
    )
