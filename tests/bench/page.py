"""The newest record inside docs/benchmarks.md, between two marks; the text around them is written by hand."""

from collections.abc import Sequence
from pathlib import Path

from tests.bench.record import ROOT, Record, newest_by_benchmark
from tests.bench.result import Figure
from tests.bench.suite import BENCHMARKS

PAGE = ROOT / "docs" / "benchmarks.md"
BEGIN, END = "<!-- newest record: begin, written by `make bench RECORD=1` -->", "<!-- newest record: end -->"
NONE_YET = "Nothing has been recorded yet."


def number(value: float) -> str:
    """Three significant digits and no exponent, as in 0.0123, 1.23, 123 and 12345."""
    digits = 3 if value == 0 else max(3, len(str(int(abs(value)))))
    text = f"{value:#.{digits}g}".rstrip(".")
    return text if "e" not in text else f"{value:f}"


def spread(figure: Figure) -> str:
    """From the lowest to the highest repetition."""
    if figure.low is None or figure.high is None or figure.low == figure.high:
        return ""
    return f"{number(figure.low)} to {number(figure.high)}"


def render(records: Sequence[Record]) -> str:
    """One table a benchmark, each from the newest record that has it."""
    newest = newest_by_benchmark(records, BENCHMARKS)
    if not newest:
        return NONE_YET
    return "\n\n".join(_table(name, record) for name, record in newest.items())


def with_records(page: str, records: Sequence[Record]) -> str:
    """The page with its newest record replaced. Raises ValueError when it has not both marks, once each."""
    if page.count(BEGIN) != 1 or page.count(END) != 1:
        raise ValueError(f"{PAGE.name} must hold each of the lines {BEGIN} and {END} once; put them back.")
    before, rest = page.split(BEGIN)
    after = rest.split(END)[1]
    return f"{before}{BEGIN}\n\n{render(records)}\n\n{END}{after}"


def write_page(records: Sequence[Record], path: Path = PAGE) -> None:
    """Brings the page up to the history."""
    path.write_text(with_records(path.read_text(encoding="utf-8"), records), encoding="utf-8")


def _table(name: str, record: Record) -> str:
    result = record.results[name]
    load = "" if record.load is None else f" at load {record.load:.1f}"
    machine = f"{record.cpu}, {record.cores} cores{load}, Python {record.python}"
    libraries = ", ".join(f"{library} {version}" for library, version in record.libraries.items())
    rows = [f"| {one.name} | {number(one.value)} {one.unit} | {spread(one)} | {one.goal} |" for one in result.figures]
    return "\n".join(
        [
            f"### {name}: {record.measured_at[:10]}, commit {record.commit}, {record.size} size",
            "",
            f"{result.setting}. {machine}; {libraries}.",
            "",
            "| figure | median | lowest to highest | goal |",
            "|---|---|---|---|",
            *rows,
        ]
    )
