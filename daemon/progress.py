"""Long work shows how far it is and how long it will take: a bar on a terminal, now and then a log line elsewhere."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol, TypeVar

from loguru import logger

Item = TypeVar("Item")
LOG_EVERY_S = 60.0


class Progress(Protocol):
    """Wraps something long."""

    def __call__(self, items: Iterable[Item], *, total: int, label: str) -> Iterator[Item]:
        """The same items, one by one, while the reader is told how far it is."""
        ...


def silent(items: Iterable[Item], *, total: int, label: str) -> Iterator[Item]:
    """Shows nothing."""
    yield from items


def shown(items: Iterable[Item], *, total: int, label: str) -> Iterator[Item]:
    """On a terminal a bar that goes when the work is done, else a log line a minute."""
    if sys.stderr.isatty():
        yield from _drawn(items, total=total, label=label)
    else:
        yield from logged(items, total=total, label=label)


def logged(
    items: Iterable[Item], *, total: int, label: str, monotonic_s: Callable[[], float] = time.monotonic
) -> Iterator[Item]:
    """A log line every LOG_EVERY_S seconds: how many are done, and how long the rest will take at this pace."""
    started = said = monotonic_s()
    for done, item in enumerate(items, start=1):
        yield item
        now = monotonic_s()
        if now - said >= LOG_EVERY_S and done < total:
            said = now
            left_min = (now - started) / done * (total - done) / 60
            logger.info("{}: {} of {} done, about {:.0f} min left", label, done, total, left_min)


def _drawn(items: Iterable[Item], *, total: int, label: str) -> Iterator[Item]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
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
