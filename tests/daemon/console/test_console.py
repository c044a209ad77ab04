"""What a script reads is JSON in the strict sense, and what a pipe gets is not cut."""

import json
from datetime import date
from decimal import Decimal

import numpy as np
import pytest

from daemon.console.tables import json_text, new_table, open_console, print_json


def test_numbers_that_are_none_become_null(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"value": float("nan"), "more": [np.float64("inf"), 1.5], "day": date(2021, 10, 1), 3: (True, None)})
    assert json.loads(capsys.readouterr().out, parse_constant=pytest.fail) == {
        "value": None,
        "more": [None, 1.5],
        "day": "2021-10-01",
        "3": [True, None],
    }


def test_a_servers_exact_numbers_are_the_numbers_that_a_file_gives() -> None:
    assert json_text([Decimal("0.5"), {"rate": Decimal("NaN")}]) == json_text([0.5, {"rate": None}])


def test_brackets_and_colons_are_text(capsys: pytest.CaptureFixture[str]) -> None:
    console = open_console()
    table = new_table(console, "[/b] title", "[i]head")
    table.add_row("[/x] [planned] :smile:")
    console.print(table)
    console.print("[/x] [planned] :smile:")
    shown = capsys.readouterr().out
    assert shown.count("[/x] [planned] :smile:") == 2
    assert "[/b] title" in shown
    assert "[i]head" in shown


def test_a_piped_table_has_words_to_the_left_and_numbers_to_the_right(capsys: pytest.CaptureFixture[str]) -> None:
    console = open_console()
    table = new_table(console, "Title", "word", "another", "number", left=2)
    table.add_row("a", "b", "1")
    table.add_row("longer", "than", "123.45")
    console.print(table)
    title, header, first, second = capsys.readouterr().out.splitlines()
    assert title.strip() == "Title"
    assert header.split() == ["word", "another", "number"]
    assert first.startswith("a       b ")
    assert (len(first), first[-1], second[-1]) == (len(second), "1", "5")
