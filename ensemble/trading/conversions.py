"""Corporate actions carried out on the account, before the open."""

import math
from collections.abc import Mapping

from ensemble.fills import ExitReason
from ensemble.trading.actions import HeldActions
from ensemble.trading.events import EventKind
from ensemble.trading.exits import close_position
from ensemble.trading.holdings import Direction, Position, Trade
from ensemble.trading.journal import Journal

_NO_SHARE = 1e-9
"""What the rounding of a factor makes of a whole share."""


def collect_dividends(journal: Journal) -> None:
    """Cash for the dividends that are paid by the journal's session."""
    for due in journal.account.receivables:
        if due.pays_on <= journal.session:
            journal.write(EventKind.DIVIDEND_PAID, due.symbol, amount=due.amount)


def convert(journal: Journal, actions: Mapping[str, HeldActions]) -> list[Trade]:
    """The positions after `actions`: shares in their new number, and what was paid out; a short pays it at once.

    Returns what was closed by it: a position of which a consolidation leaves no whole share, at its last close.
    """
    trades = []
    for symbol, action in sorted(actions.items()):
        position = journal.account.position(symbol)
        if position is not None and action.factor != 1:
            trades += _split(journal, position, action.factor)
        position = journal.account.position(symbol)
        if position is not None:
            kind = EventKind.EX_DIVIDEND if position.direction is Direction.LONG else EventKind.DIVIDEND
            _pay(journal, position, kind, action.dividend, factor=action.dividend_step)
            _pay(journal, position, EventKind.DEMERGER, action.demerger)
    return trades


def _split(journal: Journal, position: Position, factor: float) -> list[Trade]:
    """New shares, and cash in lieu of a fraction of one."""
    shares = position.quantity * factor
    whole = math.floor(shares + _NO_SHARE)
    if whole == 0:
        return [close_position(journal, position, (position.last_close, ExitReason.TIME), fees=0.0)]
    journal.write(EventKind.SPLIT, position.symbol, quantity=whole, factor=factor)
    if shares - whole > _NO_SHARE:
        price = position.last_close / factor
        amount = position.direction.sign * (shares - whole) * price
        journal.write(EventKind.CASH_IN_LIEU, position.symbol, price=price, amount=amount)
    return []


def _pay(journal: Journal, position: Position, kind: EventKind, a_share: float, factor: float | None = None) -> None:
    if a_share:
        amount = position.direction.sign * position.quantity * a_share
        what = {"quantity": position.quantity, "price": a_share, "amount": amount, "factor": factor}
        journal.write(kind, position.symbol, **what)
