"""Command lines as the program reads them, without doing what they say."""

import shlex
from collections.abc import Iterator
from typing import Any

import typer

from daemon.cli import app

PROGRAM = "reliance-daemon"
ROOT: Any = typer.main.get_command(app)


def commands(group: Any = ROOT, within: str = "") -> Iterator[tuple[str, Any]]:
    """Each command by its full name, as in "bars quarantine list"."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, f"{within}{name} ")
        else:
            yield f"{within}{name}", command


def parse(line: str) -> str:
    """The full name of the command that `line`, from the program's name on, calls. Raises click's UsageError."""
    program, *words = shlex.split(line)
    assert program.rsplit("/", 1)[-1] == PROGRAM, line
    command, context = ROOT, None
    named: list[str] = []
    while True:
        context = command.make_context(named[-1] if named else PROGRAM, words, parent=context)
        if not hasattr(command, "commands"):
            return " ".join(named)
        rest = [*getattr(context, "_protected_args", []), *context.args]
        name, command, words = command.resolve_command(context, rest)
        named.append(name)
