"""Order tickets: one CSV a session, for people who place the paper account's orders by hand."""

import csv
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date
from io import StringIO
from pathlib import Path

from loguru import logger

from daemon.sessions.broker import Order, OrderType
from ensemble.counted import counted
from ensemble.fills import stop_price, target_price
from ensemble.trading.costs import Side
from storage.column_types import instant_text
from storage.durable import replace_durably

COLUMNS = (
    *("session", "symbol", "side", "quantity", "order_type", "reference_price", "value_limit"),
    *("stop_loss_pct", "stop_price", "take_profit_pct", "target_price", "product", "reasons", "decided_at"),
)


@dataclass(frozen=True, slots=True)
class TicketWriter:
    """Writes `folder`/2021-10-01.csv; a session without orders gets the header alone, so that no file means a fault.

    What a halt takes back of it stands in 2021-10-01.withdrawn.csv: the ticket itself is left to people's notes.
    """

    folder: Path
    _said: dict[date, str] = field(default_factory=dict)
    """What was wrong with a session's ticket the last time: said once, not every minute."""

    def has(self, session: date) -> bool:
        """True when the ticket is there. What a person notes in it is left alone."""
        return os.path.isfile(self.path(session))  # noqa: PTH113  # Path.is_file raises where it may not look

    def place(self, session: date, orders: Sequence[Order]) -> None:
        """Writes the ticket, whole or not at all; an equal one stays. What the disk refuses is a line in the log."""
        if self._write(session, self.path(session), orders):
            logger.info("{}: ticket of {} in {}", session, counted(len(orders), "order"), self.path(session))

    def withdraw(self, session: date, orders: Sequence[Order]) -> None:
        """Writes them beside the ticket; without any, what was written there goes: all orders stand again."""
        path = self.path(session).with_suffix(".withdrawn.csv")
        if orders and self._write(session, path, orders):
            logger.warning("{}: {} orders of the ticket are withdrawn, see {}", session, len(orders), path)
        elif not orders and os.path.isfile(path):  # noqa: PTH113  # as above
            with suppress(OSError):
                path.unlink()
                logger.warning("{}: no order of the ticket is withdrawn any more", session)

    def _write(self, session: date, path: Path, orders: Sequence[Order]) -> bool:
        """True when it was not there like this, and is now."""
        content = ticket(orders).encode()
        try:
            if path.is_file() and path.read_bytes() == content:
                return False
            replace_durably(path, content, draft=path.with_name(f".draft-{path.name}"))
        except OSError as error:
            wrong = f"ticket {path} could not be written: {error.strerror}; free space or mend its rights."
            if self._said.get(session) != wrong:
                logger.error("{} It is tried again until the session is settled.", wrong)
            self._said[session] = wrong
            return False
        return True

    def path(self, session: date) -> Path:
        """The session's file."""
        return self.folder / f"{session.isoformat()}.csv"


def ticket(orders: Sequence[Order]) -> str:
    """The orders as CSV, those at the open first, sorted by symbol."""
    text = StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(COLUMNS)
    lines.writerows(_line(order) for order in sorted(orders, key=_place))
    return text.getvalue()


def _place(order: Order) -> tuple[bool, str]:
    return order.order_type is not OrderType.MARKET_AT_OPEN, order.symbol


def _line(order: Order) -> tuple[object, ...]:
    levels: tuple[str, ...] = ("", "", "", "")
    limit = "" if order.value_limit is None else f"{order.value_limit:.2f}"
    if order.stop_loss_pct is not None and order.take_profit_pct is not None:
        stop, target = _levels(order, order.stop_loss_pct, order.take_profit_pct)
        levels = (f"{order.stop_loss_pct:g}", f"{stop:.2f}", f"{order.take_profit_pct:g}", f"{target:.2f}")
    return (
        *(order.session, order.symbol, order.side, order.quantity, order.order_type, f"{order.reference_price:.2f}"),
        *(limit, *levels, order.product, " ".join(order.reasons), instant_text(order.decided_at)),
    )


def _levels(order: Order, stop_loss_pct: float, take_profit_pct: float) -> tuple[float, float]:
    """Indicative, from the reference price: the real ones follow from the price paid. Mirrored for a short."""
    sign = 1 if order.side is Side.BUY else -1
    price = order.reference_price
    return stop_price(price, sign * stop_loss_pct), target_price(price, sign * take_profit_pct)
