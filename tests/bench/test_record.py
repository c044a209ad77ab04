"""The history is read as it was written, and the page says what the history says."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from tests.bench.page import BEGIN, END, NONE_YET, PAGE, number, render, with_records
from tests.bench.record import (
    HISTORY,
    Record,
    append_record,
    from_line,
    newest_by_benchmark,
    read_history,
    record_now,
    to_line,
)
from tests.bench.result import Figure, Result
from tests.bench.suite import BENCHMARKS, chosen

RESULT = Result("made-up bars", (Figure("a : b", 21.5, "x", 20.0, 23.0, at_least=20), Figure("a", 1.0, "s")))
RECORD = Record(
    "2026-11-22T14:00:00Z", "abc1234", "default", "Some CPU", 2, "3.11.7", {"numpy": "2.4.0"}, {"retrain": RESULT}
)


def test_a_record_is_one_line_with_date_commit_machine_versions_and_figures() -> None:
    line = to_line(RECORD)
    assert "\n" not in line
    content = json.loads(line)
    assert {"measured_at", "commit", "size", "cpu", "cores", "python", "libraries", "results"} == set(content)
    assert content["results"]["retrain"]["figures"][0] == {
        "name": "a : b",
        "value": 21.5,
        "unit": "x",
        "low": 20.0,
        "high": 23.0,
        "at_least": 20,
    }


def test_a_record_comes_back_as_it_was() -> None:
    loaded = replace(RECORD, load=1.55)
    assert [from_line(to_line(one)) for one in (RECORD, loaded)] == [RECORD, loaded]


def test_a_figure_that_is_no_number_is_not_recorded() -> None:
    broken = Result("", (Figure("a", float("nan"), "s"),))
    with pytest.raises(ValueError, match="not JSON compliant"):
        to_line(replace(RECORD, results={"retrain": broken}))


def test_a_record_made_now_names_this_machine() -> None:
    record = record_now({"retrain": RESULT}, full=True)
    assert record.size == "full"
    assert record.cpu
    assert record.cores >= 1
    assert record.load is not None
    assert {"numpy", "keras"} <= set(record.libraries)


def test_history_grows_by_a_line_and_keeps_the_older_ones(tmp_path: Path) -> None:
    path = tmp_path / "benchmarks" / "history.jsonl"
    assert read_history(path) == []
    later = replace(RECORD, measured_at="2026-11-23T14:00:00Z")
    append_record(RECORD, path)
    append_record(later, path)
    assert read_history(path) == [RECORD, later]


def test_the_newest_record_of_each_benchmark_counts_and_a_full_one_before_a_default_one() -> None:
    full = replace(RECORD, size="full")
    later = replace(RECORD, measured_at="2026-11-23T14:00:00Z")
    other = replace(later, results={"gemm": RESULT})
    assert newest_by_benchmark([RECORD, later, other], BENCHMARKS) == {"retrain": later, "gemm": other}
    assert newest_by_benchmark([full, later], BENCHMARKS) == {"retrain": full}


def test_the_page_names_machine_figures_and_goals() -> None:
    text = render([RECORD])
    assert "### retrain: 2026-11-22, commit abc1234, default size" in text
    assert "Some CPU, 2 cores, Python 3.11.7; numpy 2.4.0" in text
    assert "Some CPU, 2 cores at load 1.6, Python 3.11.7" in render([replace(RECORD, load=1.55)])
    assert "| a : b | 21.5 x | 20.0 to 23.0 | >= 20 x: reached |" in text


def test_only_what_lies_between_the_marks_is_written() -> None:
    page = f"before\n{BEGIN}\nold\n{END}\nafter\n"
    assert with_records(page, []) == f"before\n{BEGIN}\n\n{NONE_YET}\n\n{END}\nafter\n"
    with pytest.raises(ValueError, match="put them back"):
        with_records("no marks", [])


def test_the_page_is_what_the_history_makes_it() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page == with_records(page, read_history(HISTORY))


def test_the_page_explains_every_benchmark() -> None:
    assert re.findall(r"^## `(\w+)`", PAGE.read_text(encoding="utf-8"), re.MULTILINE) == list(BENCHMARKS)


@pytest.mark.parametrize(
    ("value", "said"),
    [(0.0, "0.00"), (0.01234, "0.0123"), (1.0, "1.00"), (21.53, "21.5"), (123.4, "123"), (98765.4, "98765")],
)
def test_numbers_have_three_digits_and_no_exponent(value: float, said: str) -> None:
    assert number(value) == said


def test_an_unknown_benchmark_is_refused_by_name() -> None:
    assert chosen([]) == tuple(BENCHMARKS)
    assert chosen(["memory", "gemm"]) == ("gemm", "memory")
    with pytest.raises(ValueError, match=r'"gem"; it must be one of session, idle, retrain, levers, gemm'):
        chosen(["gem"])
