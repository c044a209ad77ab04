"""Demergers that feeds may leave in the prices as falls: `demergers/`, one file an exchange.

`symbol,session,value,close_before,source`: the first session without the part that was carved out, what that part
was worth a share of the old kind, and the close before, in the currency and the shares of that day.
"""

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from importlib.resources import files

COLUMNS = ("symbol", "session", "value", "close_before")


@dataclass(frozen=True, slots=True)
class Demerger:
    """What the holders of one symbol got besides their shares."""

    symbol: str
    session: date
    share: float
    """Worth of what was carved out, as a part of the close before, above 0 and below 1."""


@lru_cache
def shipped_demergers(exchange: str) -> tuple[Demerger, ...]:
    """Those that come with the program, none for most exchanges."""
    source = files("ensemble.trading") / "demergers" / f"{exchange}.csv"
    if not source.is_file():
        return ()
    with source.open(encoding="utf-8") as lines:
        return parse_demergers(lines)


def parse_demergers(lines: Iterable[str]) -> tuple[Demerger, ...]:
    """The demergers of a CSV with its header. Raises ValueError, naming the line, for one that is none."""
    rows = csv.DictReader(lines)
    missing = [name for name in COLUMNS if name not in (rows.fieldnames or ())]
    if missing:
        raise ValueError(f"it has no column {missing[0]}; it needs {', '.join(COLUMNS)}")
    return tuple(_demerger(row, rows.line_num) for row in rows)


def _demerger(row: dict[str, str], line: int) -> Demerger:
    try:
        share = float(row["value"]) / float(row["close_before"])
        found = Demerger(row["symbol"], date.fromisoformat(row["session"]), share)
    except (ValueError, TypeError, ZeroDivisionError) as error:
        raise ValueError(f"line {line} was not read ({error}); it needs a session and two prices") from error
    if not 0 < share < 1:
        raise ValueError(f"line {line} had value {row['value']}; it must lie between 0 and close_before")
    return found
