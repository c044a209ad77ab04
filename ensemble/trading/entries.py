"""How positions begin: at the open, the surest first, as far as places, cash and limits last.

An order is for a number of shares and for a value. Nobody knows the open when it is sized, but whoever trades at the
open sees its price: where that is higher, fewer shares are bought, so that no limit is exceeded by a gap.
"""

from collections.abc import Mapping, Sequence

from ensemble.fills import is_locked, stop_price, target_price
from ensemble.trading.costs import Product, Side
from ensemble.trading.events import EventKind, Unfilled
from ensemble.trading.exits import market_price
from ensemble.trading.guards import forbidden_entries
from ensemble.trading.holdings import Direction
from ensemble.trading.journal import Journal
from ensemble.trading.rules import TradingRules
from ensemble.trading.session_bars import Bar
from ensemble.trading.signals import Action, Signal, precedence
from ensemble.trading.sizing import whole_lots

MOST_GAP = 1.5
"""Between the close that an order was sized by and the open: more is a split that night or a fault of the feed, and so
many shares are another position than was decided."""


def enter(journal: Journal, orders: Sequence[Signal], *, bars: Mapping[str, Bar], rules: TradingRules) -> None:
    """Opens the positions that `orders` ask for, before anything else happens in the session.

    An order for what is held already, or to sell cash shares that are not, is none.
    """
    held = journal.account.held
    places = rules.limits.max_positions - len(held)
    for order in sorted(orders, key=precedence):
        direction = Direction.LONG if order.action is Action.BUY else Direction.SHORT
        if order.symbol in held or (direction is Direction.SHORT and rules.limits.product == "cash"):
            continue
        bar = bars.get(order.symbol)
        why = _why_not(journal, order, bar, places=places)
        if bar is not None and why is None:
            why = _fill(journal, order, direction, bar, rules)
        if why is None:
            places -= 1
        else:
            what = {"direction": direction, "quantity": order.quantity, "reason": why}
            journal.write(EventKind.UNFILLED, order.symbol, **what)


def _why_not(journal: Journal, order: Signal, bar: Bar | None, *, places: int) -> Unfilled | None:
    """What keeps an order from being filled, whatever it costs.

    A halt reaches what was decided before it: one by command, and one by a session that was settled only after the next
    was decided, because its bars came late.
    """
    forbidden = forbidden_entries(journal.account, [order.symbol], journal.session)
    if forbidden:
        return Unfilled(forbidden[order.symbol][0])
    if bar is None:
        return Unfilled.NO_BAR
    if is_locked(bar):
        return Unfilled.LOCKED
    if order.reference_price and not 1 / MOST_GAP <= bar.open / order.reference_price <= MOST_GAP:
        return Unfilled.OUT_OF_SCALE
    return Unfilled.NO_PLACE if places <= 0 else None


def _fill(journal: Journal, order: Signal, direction: Direction, bar: Bar, rules: TradingRules) -> Unfilled | None:
    """Enters as many whole lots as the limits allow and the cash pays for, and says why where that is none."""
    price = market_price(bar.open, direction, rules.costs, opening=True)
    affordable = _affordable(order, direction, price=price, cash=journal.account.free_cash, rules=rules)
    quantity = min(affordable, whole_lots(_value_limit(journal, order, rules), price, rules.limits.lot_size))
    if quantity == 0:
        return Unfilled.ABOVE_LIMIT if affordable else Unfilled.NO_CASH
    journal.write(
        EventKind.ENTERED,
        order.symbol,
        direction=direction,
        quantity=quantity,
        price=price,
        amount=_fees(order, direction, quantity * price, rules),
        bar_open=bar.open,
        stop_price=stop_price(price, direction.sign * order.stop_loss_pct),
        target_price=target_price(price, direction.sign * order.take_profit_pct),
    )
    return None


def _value_limit(journal: Journal, order: Signal, rules: TradingRules) -> float:
    """What the position may be worth at its entry: as decided, and what is left of the exposure at the last marks.

    The latter is less than was decided on only where a session was settled in between.
    """
    before = journal.before
    entered = (one.quantity * (one.price or 0.0) for one in journal.events if one.kind is EventKind.ENTERED)
    room = before.equity * rules.limits.max_exposure_pct / 100 - before.exposure - sum(entered)
    return min(order.value_limit or 0.0, room)


def _affordable(order: Signal, direction: Direction, *, price: float, cash: float, rules: TradingRules) -> int:
    """As many whole lots of the order's quantity as the cash pays for, fees included."""
    lot = rules.limits.lot_size
    lots = order.quantity // lot
    while lots > 0:
        value = lots * lot * price
        cost = value + _fees(order, direction, value, rules)
        if cost <= cash:
            break
        # What the cash is to the cost never falls below what it pays for, where fees fall with size or are flat.
        lots = min(lots - 1, int(lots * max(cash, 0.0) / cost))
    return lots * lot


def _fees(order: Signal, direction: Direction, value: float, rules: TradingRules) -> float:
    side = Side.BUY if direction is Direction.LONG else Side.SELL
    product = Product.FUTURES if rules.limits.product == "futures" else Product.DELIVERY
    return rules.fees(side, value, session=order.session, product=product)
