"""Long work shows how far it is and how long it will take: a bar on a terminal, nothing where output is piped."""

import sys
from collections.abc import Iterable, Iterator
from typing import Protocol, TypeVar

Item = TypeVar("Item")


class Progress(Protocol):
    """Wraps something long."""

    def __call__(self, items: Iterable[Item], *, total: int, label: str) -> Iterator[Item]:
        """The same items, one by one, while the reader is told how far it is."""
        ...


def silent(items: Iterable[Item], *, total: int, label: str) -> Iterator[Item]:
    """Shows nothing."""
    yield from items


def terminal(items: Iterable[Item], *, total: int, label: str) -> Iterator[Item]:
    """A bar on standard error with the time left, gone when done; nothing when standard error is no terminal."""
    if total == 0 or not sys.stderr.isatty():
        yield from items
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.progress import Progress as RichProgress

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with RichProgress(*columns, console=Console(stderr=True), transient=True) as bar:
        yield from bar.track(items, total=total, description=label)
