"""Long work shows how far it is and how long it will take: a bar on a terminal, now and then a log line elsewhere."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Protocol, TypeVar

from loguru import logger

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as Bar
    from rich.progress import Task

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
    """A log line every LOG_EVERY_S seconds: how many are done, since when, and how long the rest will take."""
    started = said = monotonic_s()
    for done, item in enumerate(items, start=1):
        yield item
        now = monotonic_s()
        if now - said >= LOG_EVERY_S and done < total:
            said = now
            logger.info("{}: {} of {} done in {}", label, done, total, _pace(now - started, done, total))


def _drawn(items: Iterable[Item], *, total: int, label: str) -> Iterator[Item]:
    from rich.console import Console

    with open_bar(Console(stderr=True)) as bar:
        task = bar.add_task(label, total=total)
        for item in items:
            yield item
            bar.advance(task)


def open_bar(console: "Console", get_time: Callable[[], float] | None = None) -> "Bar":
    """A bar with count, time gone and time left, which goes when the work is done."""
    from rich.progress import BarColumn, MofNCompleteColumn, ProgressColumn, TextColumn
    from rich.progress import Progress as Bar
    from rich.text import Text

    class Pace(ProgressColumn):
        """Rich's own estimate forgets all but the last half minute, in which a network may not even be trained."""

        def render(self, task: "Task") -> Text:
            return Text(_pace(task.elapsed or 0.0, int(task.completed), int(task.total or 0)))

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), Pace())
    return Bar(*columns, console=console, transient=True, get_time=get_time)


def _pace(gone_s: float, done: int, total: int) -> str:
    """As in "12 min, about 2 h 5 min left"; only the time gone while nothing is done."""
    left = f", about {_span(gone_s / done * (total - done))} left" if done else ""
    return _span(gone_s) + left


def _span(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"
