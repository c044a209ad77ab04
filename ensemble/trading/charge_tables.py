"""What exchanges, regulators and governments charge for an order, by date.

The rates are data, in `ensemble/trading/charges/`: `exchanges,charge,on,side,since,rate,unit,source`. A row holds from
its day until the next row of the same exchange, charge and product. `on` names the products that it is charged for; of
`tax`, the charges that are taxed. `unit` is "bp" of the traded value, "order" for currency an order, or "per cent" of
what `on` names. A source that begins with "unverified" says what nobody has confirmed yet.
"""

import csv
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import lru_cache
from importlib.resources import files

TABLES = ("india", "simple")
TAX = "tax"
# Of the value of an order, so that a sale of a few rupees never costs more than it brings.
LARGEST_SHARE = 0.25
_PER_UNIT = {"bp": 1e-4, "order": 1.0, "per cent": 1e-2}


class Side(StrEnum):
    """Which way an order trades."""

    BUY = "BUY"
    SELL = "SELL"


class Product(StrEnum):
    """How a position is carried, by which it is charged: shares overnight, shares within a session, or futures."""

    DELIVERY = "delivery"
    INTRADAY = "intraday"
    FUTURES = "futures"


_SIDES = {"buy": (Side.BUY,), "sell": (Side.SELL,), "both": (Side.BUY, Side.SELL)}


@dataclass(frozen=True, slots=True)
class ChargeRate:
    """One row of a table: who pays how much of one charge from a day on."""

    exchanges: tuple[str, ...]
    charge: str
    on: tuple[str, ...]
    sides: tuple[Side, ...]
    since: date
    rate: float
    unit: str
    source: str

    @property
    def share(self) -> float:
        """The rate of 1; for the unit "order" the rate itself, in currency."""
        return self.rate * _PER_UNIT[self.unit]


@dataclass(frozen=True, slots=True)
class Charges:
    """What one order is charged, its broker's part excepted. Shares of 1."""

    of_value: Mapping[str, float]
    of_order: Mapping[str, float]
    """Currency an order."""
    tax: float
    taxed: frozenset[str]

    def lines(self, value: float, brokerage: float) -> dict[str, float]:
        """Each charge of an order that trades `value`, brokerage and the tax on these included, in currency.

        What is charged by the piece is at most a quarter of the value.
        """
        lines = {"brokerage": brokerage}
        for charge, share in self.of_value.items():
            lines[charge] = share * value
        for charge, amount in self.of_order.items():
            lines[charge] = min(amount, LARGEST_SHARE * value)
        if self.tax:
            lines[TAX] = self.tax * sum(amount for charge, amount in lines.items() if charge in self.taxed)
        return lines


@lru_cache
def charge_rates() -> tuple[ChargeRate, ...]:
    """Every row of every table, each charge's in the order of their days."""
    return tuple(rate for table in TABLES for rate in _read(table))


def charges_in_force(exchange: str, side: Side, *, session: date, product: Product) -> Charges:
    """What an order is charged on `session`; before the tables begin, what it was charged on their first day.

    Raises ValueError for an exchange without charges.
    """
    days, charges = _history(exchange, side, product)
    return charges[max(bisect_right(days, session) - 1, 0)]


@lru_cache
def _history(exchange: str, side: Side, product: Product) -> tuple[list[date], list[Charges]]:
    """The days on which something changed, oldest first, and what was in force from each."""
    rates = [rate for rate in charge_rates() if exchange in rate.exchanges]
    if not rates:
        known = sorted({name for rate in charge_rates() for name in rate.exchanges})
        raise ValueError(
            f'exchange was "{exchange}", which has no table of charges; it must be one of {", ".join(known)}, '
            'or costs.schedule be "flat".'
        )
    days = sorted({rate.since for rate in rates})
    return days, [_on(day, rates, side, product) for day in days]


def _on(day: date, rates: list[ChargeRate], side: Side, product: Product) -> Charges:
    newest = {rate.charge: rate for rate in rates if rate.since <= day and (rate.charge == TAX or product in rate.on)}
    tax = newest.pop(TAX, None)
    paid = [rate for rate in newest.values() if side in rate.sides and rate.rate]
    return Charges(
        of_value={rate.charge: rate.share for rate in paid if rate.unit == "bp"},
        of_order={rate.charge: rate.share for rate in paid if rate.unit == "order"},
        tax=tax.share if tax else 0.0,
        taxed=frozenset(tax.on if tax else ()),
    )


def _read(table: str) -> Iterator[ChargeRate]:
    with (files("ensemble") / "trading" / "charges" / f"{table}.csv").open(encoding="utf-8") as lines:
        yield from _parsed(csv.DictReader(lines))


def _parsed(rows: Iterable[Mapping[str, str]]) -> Iterator[ChargeRate]:
    for row in rows:
        yield ChargeRate(
            exchanges=tuple(row["exchanges"].split()),
            charge=row["charge"],
            on=tuple(row["on"].split()),
            sides=_SIDES[row["side"]],
            since=date.fromisoformat(row["since"]),
            rate=float(row["rate"]),
            unit=row["unit"],
            source=row["source"],
        )
