"""How positions leave inside a session: the one fill rule, which sees a short upside down, and what is charged."""

import math
from collections.abc import Collection, Mapping

from ensemble.fills import ExitReason, fill_exits, is_locked
from ensemble.trading.actions import NO_ACTION, HeldActions
from ensemble.trading.costs import Costs, Product, Side, buy_price, sell_price
from ensemble.trading.events import EventKind, Unfilled
from ensemble.trading.holdings import Direction, Position, Trade
from ensemble.trading.journal import Journal
from ensemble.trading.rules import TradingRules
from ensemble.trading.session_bars import Bar

Ending = tuple[float, ExitReason]
"""The price a share leaves at, after slippage, and why."""


def leave(
    journal: Journal,
    ordered: Collection[str],
    *,
    bars: Mapping[str, Bar],
    rules: TradingRules,
    actions: Mapping[str, HeldActions],
) -> list[Trade]:
    """Closes what was `ordered` to leave, at the open, and what leaves by its stop, its target or its time.

    Bars that come late, or waited, are looked at before the session's own, which an order is for.
    """
    trades = []
    for held in journal.account.positions:
        symbol, action = held.symbol, actions.get(held.symbol, NO_ACTION)
        bar = None if action.waits else bars.get(symbol)
        position, ending = _through_late_bars(journal, held, action, rules) if action.late else (held, None)
        if ending is None and bar is not None:
            ending = exit_fill(position, bar, ordered=symbol in ordered, rules=rules)
        if ending is not None:
            fees = _fees(journal, position, ending[0], rules)
            trades.append(close_position(journal, position, ending, fees=fees))
        elif action.waits or symbol in ordered:
            reason = Unfilled.LOCKED if bar else Unfilled.OUT_OF_SCALE if action.waits else Unfilled.NO_BAR
            what = {"direction": position.direction, "quantity": position.quantity, "reason": reason}
            journal.write(EventKind.UNFILLED, symbol, **what)
    return trades


def _through_late_bars(
    journal: Journal, position: Position, action: HeldActions, rules: TradingRules
) -> tuple[Position, Ending | None]:
    """The position after its late bars, marked at the closes of those it outlives, and how it leaves in one."""
    for session, bar in action.late:
        ending = exit_fill(position, bar, ordered=False, rules=rules)
        if ending is not None:
            return position, ending
        journal.make_up_for(session, EventKind.MARKED, position.symbol, price=bar.close)
        position = journal.account.position(position.symbol) or position
    return position, None


def exit_fill(position: Position, bar: Bar, *, ordered: bool, rules: TradingRules) -> Ending | None:
    """How the position leaves inside the bar, None while it stays open; by order it does at the open."""
    if is_locked(bar):
        return None
    if ordered:
        return market_price(bar.open, position.direction, rules.costs, opening=False), ExitReason.SIGNAL
    sign = position.direction.sign
    prices = bar if position.direction is Direction.LONG else Bar(-bar.open, -bar.low, -bar.high, -bar.close)
    last = position.sessions_held + 1 >= rules.limits.max_holding_sessions
    stop, target = sign * position.stop_price, sign * position.target_price
    if not last and stop < prices.open < target and stop < prices.low and prices.high < target:
        return None  # as most sessions end; NumPy takes ten times as long to say so of a single bar
    exits = fill_exits(prices, stop=stop, target=target, last=last)
    price = sign * float(exits.price)
    if math.isnan(price):
        return None
    if exits.on_target:
        return price, ExitReason.TARGET
    reason = ExitReason.STOP if exits.stopped else ExitReason.TIME
    return market_price(price, position.direction, rules.costs, opening=False), reason


def market_price(price: float, direction: Direction, costs: Costs, *, opening: bool) -> float:
    """What a market order that opens or closes a position trades at when `price` is on the screen."""
    buying = opening == (direction is Direction.LONG)
    return buy_price(price, costs) if buying else sell_price(price, costs)


def close_position(journal: Journal, position: Position, ending: Ending, *, fees: float) -> Trade:
    """The trade, once the journal has it. `fees` are those of the exit, in currency."""
    price, reason = ending
    what = {"direction": position.direction, "quantity": position.quantity, "reason": reason}
    journal.write(EventKind.EXITED, position.symbol, price=price, amount=fees, **what)
    cost = position.entry_cost + fees
    gain = position.direction.sign * position.quantity * (price - position.entry_price)
    return Trade(
        symbol=position.symbol,
        quantity=position.quantity,
        entry_session=position.entry_session,
        entry_price=position.entry_price,
        exit_session=journal.session,
        exit_price=price,
        exit_reason=reason,
        cost=cost,
        profit=gain - cost + position.income,
        direction=position.direction,
        income=position.income,
    )


def _fees(journal: Journal, position: Position, price: float, rules: TradingRules) -> float:
    """Of the exit. A flat charge may be more than a penniless account gets for its last shares: it pays what it has."""
    fees = _charged(journal, position, price, rules)
    if rules.limits.product == "futures":
        return fees
    return min(fees, journal.account.cash + position.quantity * price)


def _charged(journal: Journal, position: Position, price: float, rules: TradingRules) -> float:
    """By the exchange. Shares that leave in the session they came in were never delivered: their entry's fees as a
    delivery are given back, and both sides are charged as intraday.
    """
    session, value = journal.session, position.quantity * price
    side = Side.SELL if position.direction is Direction.LONG else Side.BUY
    if rules.limits.product == "futures":
        return rules.fees(side, value, session=session, product=Product.FUTURES)
    if position.entry_session < session:
        return rules.fees(side, value, session=session, product=Product.DELIVERY)
    entry_value = position.quantity * position.entry_price
    entry = rules.fees(Side.BUY, entry_value, session=session, product=Product.INTRADAY)
    return rules.fees(side, value, session=session, product=Product.INTRADAY) + (entry - position.entry_cost)
