"""Which confusion tables fit the rounded figures that somebody published, and so how many rows there were."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import cache
from math import ceil, floor


@dataclass(frozen=True, slots=True)
class Confusion:
    """How often up and down were said, and how often each was true; counts."""

    true_ups: int
    false_ups: int
    false_downs: int
    true_downs: int

    @property
    def rows(self) -> int:
        """All forecasts."""
        return self.true_ups + self.false_ups + self.false_downs + self.true_downs

    @property
    def ups(self) -> int:
        """How many outcomes were up."""
        return self.true_ups + self.false_downs

    @property
    def right(self) -> int:
        """How many forecasts were right."""
        return self.true_ups + self.true_downs

    @property
    def constant(self) -> str:
        """Which constant it is, "always up" or "always down"; nothing where both sides were said."""
        if not self.false_downs + self.true_downs:
            return "always up"
        return "" if self.true_ups + self.false_ups else "always down"

    def f1(self) -> Fraction:
        """2 TP / (2 TP + FP + FN), 0 where nothing was up and nothing called up."""
        wrong = self.false_ups + self.false_downs
        return Fraction(2 * self.true_ups, 2 * self.true_ups + wrong) if self.true_ups + wrong else Fraction(0)


@dataclass(frozen=True, slots=True)
class PublishedRow:
    """One model's line as printed: decimals whose last digit is rounded; None where a figure was not given."""

    accuracy_pct: str
    auc: str
    f1: str
    precision: str | None = None
    recall: str | None = None


@dataclass(frozen=True, slots=True)
class TableFit:
    """Numbers of rows and of ups that all published lines can have come from."""

    rows: int
    ups: int
    tables: tuple[tuple[Confusion, ...], ...]
    """For each published line, the confusion tables that round to it."""


def tables_that_fit(published: Sequence[PublishedRow], *, max_rows: int) -> tuple[TableFit, ...]:
    """Every (rows, ups) up to `max_rows` under which each published line has a confusion table, smallest first.

    Every table is tried. The AUC fits when some whole or half number of ordered pairs rounds to it: a tie counts half.
    """
    found = []
    for rows in range(2, max_rows + 1):
        if all(_whole_numbers(line.accuracy_pct, rows, full=100) for line in published):
            for ups in range(1, rows):
                tables = tuple(tuple(_tables(line, rows, ups)) for line in published)
                if all(tables):
                    found.append(TableFit(rows, ups, tables))
    return tuple(found)


def _tables(line: PublishedRow, rows: int, ups: int) -> Iterator[Confusion]:
    downs = rows - ups
    if not _whole_numbers(line.auc, 2 * ups * downs):
        return
    for right in _whole_numbers(line.accuracy_pct, rows, full=100):
        for true_ups in range(max(right - downs, 0), min(right, ups) + 1):
            true_downs = right - true_ups
            table = Confusion(true_ups, downs - true_downs, ups - true_ups, true_downs)
            if _fits(line, table):
                yield table


def _fits(line: PublishedRow, table: Confusion) -> bool:
    said_up = table.true_ups + table.false_ups
    precision = Fraction(table.true_ups, said_up) if said_up else Fraction(0)
    pairs = ((line.f1, table.f1()), (line.precision, precision), (line.recall, Fraction(table.true_ups, table.ups)))
    return all(_rounds_to(value, text) for text, value in pairs if text is not None)


def _rounds_to(value: Fraction, text: str) -> bool:
    low, high = _span(text)
    return low <= value <= high


def _whole_numbers(text: str, out_of: int, *, full: int = 1) -> range:
    """The whole numbers whose share of `out_of`, times `full`, rounds to `text`."""
    low, high = _span(text)
    return range(ceil(low * out_of / full), floor(high * out_of / full) + 1)


@cache
def _span(text: str) -> tuple[Fraction, Fraction]:
    """The numbers that round to `text`, either end included: it is not known how ties were rounded."""
    number = Decimal(text)
    half = Fraction(Decimal((0, (5,), int(number.as_tuple().exponent) - 1)))
    return Fraction(number) - half, Fraction(number) + half
