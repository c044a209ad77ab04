"""Who carries out what was decided. The paper account does, at settlement; a real broker would take the same place.

A broker is told a session's orders once the decision is committed, and told again after a crash or a failure until it
has them: so whatever it does with them, it must be able to see that it did it. Until the session is settled it is also
told, again and again, which of them a halt has taken back.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from pydantic import Field

from ensemble.fills import ExitReason
from ensemble.options import Options
from ensemble.trading.costs import Product, Side
from ensemble.trading.signals import Reason


class BrokerOptions(Options):
    """The [broker] table: who else is told the orders that the paper account follows."""

    tickets: Path | None = Field(
        default=None,
        description="folder of one CSV a session for people who place orders by hand; "
        "a relative one starts at the configuration's folder",
    )


class OrderType(StrEnum):
    """When an order is carried out, at the market."""

    MARKET_AT_OPEN = "MARKET_AT_OPEN"
    MARKET_AT_CLOSE = "MARKET_AT_CLOSE"


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be traded in a session."""

    session: date
    symbol: str
    side: Side
    quantity: int
    """Shares."""
    reference_price: float
    """The last close known at the decision."""
    value_limit: float | None
    """Most that a position may be worth at its entry, whatever the open; None where the order closes one."""
    product: Product
    reasons: tuple[Reason | ExitReason, ...]
    decided_at: datetime
    stop_loss_pct: float | None
    """Of the price paid; None, as for the target, where the order closes a position."""
    take_profit_pct: float | None
    order_type: OrderType = OrderType.MARKET_AT_OPEN
    """At the close leaves what has reached its last session, unless its stop or target was there before."""

    @property
    def opens(self) -> bool:
        """Whether it opens a position."""
        return self.value_limit is not None


class Broker(Protocol):
    """Takes orders. What fails it says in the log, and leaves to be tried again."""

    def has(self, session: date) -> bool:
        """Whether it was told the orders of that session, should there be none."""
        ...

    def place(self, session: date, orders: Sequence[Order]) -> None:
        """Takes all orders of a session; in the same words again it changes nothing."""
        ...

    def withdraw(self, session: date, orders: Sequence[Order]) -> None:
        """Takes back these of the orders placed, and no others; in the same words again it changes nothing."""
        ...


class PaperBroker:
    """The paper account. It reads its orders in the store, and fills them when the session is settled."""

    def has(self, session: date) -> bool:
        """They are in the store."""
        return True

    def place(self, session: date, orders: Sequence[Order]) -> None:
        """Waits for the session's bars."""

    def withdraw(self, session: date, orders: Sequence[Order]) -> None:
        """Fills no entry that a halt forbids, told or not."""


def open_broker(options: BrokerOptions) -> Broker:
    """The broker that the configuration names."""
    from daemon.sessions.tickets import TicketWriter

    return PaperBroker() if options.tickets is None else TicketWriter(options.tickets)
