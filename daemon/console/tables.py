"""Where commands write: tables on a terminal, plain columns when piped, JSON for scripts."""

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

PIPE_WIDTH = 160


def open_console() -> Console:
    """Standard output; a pipe gets lines wide enough not to be cut. What is printed is text, whatever its brackets."""
    as_it_is: Mapping[str, Any] = {"highlight": False, "markup": False, "emoji": False}
    console = Console(**as_it_is)
    return console if console.is_terminal else Console(**as_it_is, width=PIPE_WIDTH)


def new_table(console: Console, title: str, *columns: str, left: int = 1) -> Table:
    """An empty table: the first `left` columns hold words, the others numbers."""
    # A line under the head is frame enough, and leaves room for a dozen columns.
    frame = SIMPLE_HEAD if console.is_terminal else None
    table = Table(title=title, title_justify="left", box=frame, pad_edge=False)
    for place, column in enumerate(columns):
        table.add_column(column, justify="left" if place < left else "right")
    return table


def print_json(content: Any) -> None:
    """To standard output."""
    typer.echo(json_text(content))


def json_text(content: Any) -> str:
    """As JSON; dates and paths as text, numbers that are none (NaN) as null."""
    return json.dumps(plain(content), indent=1, default=str, allow_nan=False)


def plain(content: Any) -> Any:
    """The same for JSON, which has no NaN and no infinity; a strict reader refuses Python's.

    A server's exact numbers become those that a SQLite file gives.
    """
    if isinstance(content, Decimal):
        content = float(content)
    if isinstance(content, float):
        return content if abs(content) < float("inf") else None
    if isinstance(content, dict):
        return {str(key): plain(value) for key, value in content.items()}
    if isinstance(content, (list, tuple)):
        return [plain(value) for value in content]
    return content
