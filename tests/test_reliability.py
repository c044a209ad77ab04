"""The fault table tells of every fault that was asked about, and each of its rows names tests that exist."""

import ast
import re
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SECTIONS = (
    "The process",
    "Time",
    "The feed",
    "Disk and database",
    "Models and training",
    "The bucket",
    "Input and secrets",
    "Long runs",
)
COLUMNS = ("what happens", "what is expected", "what happened", "test")
ASKED_FOR = {
    "The process": (
        *("kill -9 in ingest", "kill -9 while training", "kill -9 in a backup", "200 kill -9", "two daemons"),
        *(
            "SIGTERM in a training",
            "SIGTERM in a fetch",
            "SIGTERM with nothing",
            "SIGHUP",
            "dead scheduler",
            "notification channel",
        ),
    ),
    "Time": (
        *("down for 1 session", "down for 5", "down for 30", "holiday", "special Saturday", "Muhurat", "Budget Sunday"),
        *("calendar", "+1 h", "+3 d", "+30 y", "-2 h", "-1 d", "suspend", "time zone", "New York"),
    ),
    "The feed": (
        *("away for an hour", "away for a week", "429", "empty", "truncated", "another symbol's", "hangs"),
        *("one symbol fails", "one symbol of those traded", "days after"),
    ),
    "Disk and database": ("20 readers", "One reader", "PostgreSQL"),
    "The bucket": (
        *("dead", "403", "412", "503", "answer to an upload is lost", "cut short", "hostile archives", "big upload"),
        *("kill -9 of a push", "kill -9 of a restore or a pull", "machine is lost"),
    ),
    "Long runs": ("5,000 sessions",),
}
"""Words that some row of the section has in its first column."""
TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


def table_rows() -> dict[str, list[list[str]]]:
    """Section -> the cells of each row."""
    found: dict[str, list[list[str]]] = {}
    section = ""
    for line in (ROOT / "docs/reliability.md").read_text().splitlines():
        if line.startswith("## "):
            section = line.removeprefix("## ")
            found[section] = []
        elif line.startswith("|") and not set(line) <= set("|- "):
            found[section].append([cell.strip() for cell in line.strip("|").split("|")])
    return found


ROWS = table_rows()
FILLED = [(section, row) for section, rows in ROWS.items() for row in rows[1:]]


@cache
def functions(path: Path) -> frozenset[str]:
    return frozenset(node.name for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef))


def test_the_sections_are_all_there_and_each_table_has_its_columns() -> None:
    assert tuple(ROWS) == SECTIONS
    for section, rows in ROWS.items():
        assert not rows or tuple(rows[0]) == COLUMNS, section


@pytest.mark.parametrize(("section", "row"), FILLED, ids=[row[0][:40] for _, row in FILLED])
def test_a_row_is_whole_and_its_tests_can_be_run(section: str, row: list[str]) -> None:
    assert len(row) == len(COLUMNS), f"{section}: {row}"
    assert all(row), f"{section}: a field of {row[0]!r} is empty"
    named = TEST.findall(row[-1])
    assert named, f"{section}: {row[0]!r} names no test as `tests/FILE.py::FUNCTION`"
    for file, name in named:
        assert (ROOT / file).is_file(), f"{section}: {file} is not there"
        assert name.startswith("test_"), f"{section}: {file}::{name} is not collected"
        assert name in functions(ROOT / file), f"{section}: {file}::{name} is not there"


@pytest.mark.parametrize(("section", "word"), [(one, word) for one, words in ASKED_FOR.items() for word in words])
def test_every_fault_that_was_asked_about_has_a_row(section: str, word: str) -> None:
    assert any(word in row[0] for row in ROWS[section][1:]), f"{section}: no row tells of {word!r}"


def test_no_row_is_there_twice() -> None:
    names = sorted(f"{section}: {row[0]}" for section, row in FILLED)
    assert not [later for before, later in pairwise(names) if before == later]
