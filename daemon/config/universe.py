"""Ready-made lists of symbols: "@nifty50" in the configuration stands for its members, as of today or of a date.

`universes/NAME.csv`: `symbol,joined,left,source`, a row a stay; an empty date lies before FIRST_DAY or has not come.
Symbols are those that Yahoo uses now, whatever a company was called then.
"""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches
from functools import lru_cache
from importlib.resources import files
from typing import Any

MARK = "@"
FIRST_DAY = {"nifty50": date(2017, 9, 29)}
"""By list, since when its members are known."""
EXCHANGES = {"nifty50": "XNSE"}


@dataclass(frozen=True, slots=True)
class Stay:
    """A symbol's stay in a list; None where it is older than the list, or goes on."""

    symbol: str
    joined: date | None
    left: date | None

    def holds(self, day: date) -> bool:
        """A member on that day: from the day it joined to the one before it left."""
        return (self.joined is None or self.joined <= day) and (self.left is None or day < self.left)


def expanded(entries: Any, *, exchange: str, besides: Iterable[str] = ()) -> Any:
    """The entries with each list replaced by its members that are not named otherwise, or in `besides`.

    Whatever else is no list is returned as it is. Raises ValueError for a list that there is not.
    """
    if not isinstance(entries, Sequence) or isinstance(entries, str):
        return entries
    named = {entry for entry in entries if isinstance(entry, str)} | set(besides)
    found: list[Any] = []
    for entry in entries:
        if isinstance(entry, str) and entry.startswith(MARK):
            found += [symbol for symbol in members(entry[1:], exchange=exchange) if symbol not in {*named, *found}]
        else:
            found.append(entry)
    return found


def members(text: str, *, exchange: str) -> list[str]:
    """The members of "nifty50", or of "nifty50:2021-01-01", in the order of their names. Raises ValueError."""
    name, _, told = text.partition(":")
    if name not in FIRST_DAY:
        near = get_close_matches(name.lower(), FIRST_DAY, n=1)
        hint = f'did you mean "{MARK}{near[0]}"?' if near else f"it must be one of {', '.join(FIRST_DAY)}"
        raise ValueError(f'"{MARK}{name}" is no list; {hint}')
    if exchange != EXCHANGES[name]:
        raise ValueError(f'"{MARK}{name}" is of {EXCHANGES[name]}, and market.exchange is {exchange}; name symbols')
    day = _day(text, told)
    if day < FIRST_DAY[name]:
        raise ValueError(f'"{MARK}{text}" is before {FIRST_DAY[name]}, the oldest day whose members are known')
    return [stay.symbol for stay in stays(name) if stay.holds(day)]


@lru_cache
def stays(name: str) -> tuple[Stay, ...]:
    """All stays in a list."""
    with (files("daemon.config") / "universes" / f"{name}.csv").open(encoding="utf-8") as lines:
        return tuple(Stay(row["symbol"], _known(row["joined"]), _known(row["left"])) for row in csv.DictReader(lines))


def _known(text: str) -> date | None:
    return date.fromisoformat(text) if text else None


def _day(text: str, told: str) -> date:
    try:
        return date.fromisoformat(told) if ":" in text else date.max
    except ValueError:
        raise ValueError(f'"{MARK}{text}" must end with a date, such as "{MARK}nifty50:2021-01-01"') from None
