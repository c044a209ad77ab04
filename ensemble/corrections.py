"""What is known of an exchange's sessions beyond the library: `calendars/`, one file an exchange, or rows of one's own.

`date,kind,opens,closes,reason`, times on the exchange's own wall clock: `extra` is a session (with hours of its own
where they are given), `closed` is none, `hours` sets the ordinary hours from that date on, `until` says that all
holidays to that date are known.
"""

import csv
from collections.abc import Iterable, Sequence
from datetime import date, time
from difflib import get_close_matches
from functools import lru_cache
from importlib.resources import files
from itertools import pairwise
from typing import NamedTuple

COLUMNS = ("date", "kind", "opens", "closes", "reason")
KINDS = ("extra", "closed", "hours", "until")


class Correction(NamedTuple):
    """One row."""

    date: date
    kind: str
    opens: time | None = None
    closes: time | None = None
    reason: str = ""


def parse_corrections(lines: Iterable[str]) -> tuple[Correction, ...]:
    """The corrections of a CSV with its header, oldest first. Raises ValueError, naming the line, for one that is none.

    Each is one fact: a date stands once for what it is itself, and once for the hours that begin with it.
    """
    rows = csv.DictReader(lines)
    try:
        missing = [name for name in COLUMNS if name not in (rows.fieldnames or ())]
        if missing:
            raise ValueError(f"it has no column {missing[0]}; its first line must be {','.join(COLUMNS)}")
        read = [(_correction(row, rows.line_num), rows.line_num) for row in rows]
    except csv.Error as error:
        raise ValueError(f"line {rows.line_num} is no CSV ({error}); write {','.join(COLUMNS)}") from None
    for (one, _), (other, line) in pairwise(sorted(read, key=lambda pair: _fact(pair[0]))):
        if _fact(one) == _fact(other):
            raise ValueError(f"line {line} names {other.date} again; a date can be one thing only")
    return tuple(sorted((correction for correction, _ in read), key=_fact))


@lru_cache
def corrections_of(exchange: str, own: tuple[Correction, ...] = ()) -> tuple[Correction, ...]:
    """Those that come with the program, none for most exchanges; `own` ones go before them where both name a date."""
    facts = {_fact(correction): correction for correction in (*_shipped(exchange), *own)}
    return tuple(facts[fact] for fact in sorted(facts))


def holidays_told_until(corrections: Sequence[Correction]) -> date | None:
    """To which date they claim to know all holidays; None where they claim nothing."""
    return max((one.date for one in corrections if one.kind == "until"), default=None)


def _fact(correction: Correction) -> tuple[date, str]:
    return correction.date, "" if correction.kind in ("extra", "closed") else correction.kind


def _shipped(exchange: str) -> tuple[Correction, ...]:
    source = files("ensemble") / "calendars" / f"{exchange}.csv"
    if not source.is_file():
        return ()
    with source.open(encoding="utf-8") as lines:
        return parse_corrections(lines)


def _correction(row: dict[str, str | None], line: int) -> Correction:
    if None in row or None in row.values():
        raise ValueError(f"line {line} has not {len(COLUMNS)} fields; write {','.join(COLUMNS)}")
    told = {name: (row[name] or "").strip() for name in COLUMNS}
    kind = told["kind"]
    if kind not in KINDS:
        near = get_close_matches(kind, KINDS, n=1)
        hint = f'did you mean "{near[0]}"?' if near else f"it must be one of {', '.join(KINDS)}"
        raise ValueError(f'line {line} had kind "{kind}"; {hint}')
    opens, closes = (_time(told[name], name, line) for name in ("opens", "closes"))
    if kind == "hours" and (opens is None or closes is None):
        raise ValueError(f'line {line} had kind "hours" without opens and closes; give both as HH:MM')
    if kind in ("closed", "until") and (opens or closes):
        raise ValueError(f'line {line} had kind "{kind}" with hours; leave opens and closes empty')
    if opens == closes is not None:
        raise ValueError(f"line {line} opens and closes at {opens:%H:%M}; these must differ")
    return Correction(_date(told["date"], line), kind, opens, closes, told["reason"])


def _date(text: str, line: int) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError(f'line {line} had date "{text}"; it must be one such as 2026-11-08') from None


def _time(text: str, name: str, line: int) -> time | None:
    try:
        told = time.fromisoformat(text) if text else None
    except ValueError:
        told = time.max  # no whole minute
    if told is not None and (told.tzinfo or told != told.replace(second=0, microsecond=0)):
        raise ValueError(f'line {line} had {name} "{text}"; it must be a whole minute there, such as 18:15')
    return told
