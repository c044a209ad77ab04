"""What a person sees of the results."""

from rich import box
from rich.console import Console
from rich.table import Table

from tests.bench.page import number, spread
from tests.bench.result import Outcome, Result


def show(console: Console, outcome: Outcome) -> None:
    """One table a benchmark, then what was not measured and why."""
    for name, result in outcome.results.items():
        console.print(_table(console, name, result), end="\n\n")
    for verdict, reasons in (("skipped", outcome.skipped), ("failed", outcome.failed)):
        for name, reason in reasons.items():
            console.print(f"{name}: {verdict}; {reason}", markup=False, soft_wrap=True)


def open_console() -> Console:
    """Standard output; a pipe gets lines wide enough not to be cut."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=140)


def _table(console: Console, name: str, result: Result) -> Table:
    lines = box.SIMPLE_HEAD if console.is_terminal else None
    table = Table(title=f"{name}: {result.setting}", title_justify="left", box=lines, pad_edge=False)
    table.add_column("figure")
    for heading in ("median", "lowest to highest", "goal"):
        table.add_column(heading, justify="right" if heading == "median" else "left")
    for one in result.figures:
        table.add_row(one.name, f"{number(one.value)} {one.unit}", spread(one), one.goal)
    return table
