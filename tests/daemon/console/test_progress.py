"""Whoever waits is told how long, and gets every item."""

import re
from io import StringIO
from itertools import count

import pytest
from rich.console import Console

from daemon.console.progress import logged, open_bar, shown


def test_a_log_gets_a_line_a_minute_with_the_time_left(lines: list[str]) -> None:
    clock = count(step=40)  # seconds an item
    items = list(logged(range(6), total=6, label="training", monotonic_s=lambda: float(next(clock))))
    assert items == list(range(6))
    assert lines == [
        "training: 2 of 6 done in 1 min, about 3 min left",
        "training: 4 of 6 done in 3 min, about 1 min left",
    ]


def test_short_work_is_not_talked_about(lines: list[str]) -> None:
    assert list(shown("abc", total=3, label="training")) == ["a", "b", "c"]
    assert lines == []


@pytest.mark.parametrize(
    ("done", "shown_as"),
    [(0, "0/9 0 s"), (1, "1/9 50 min, about 6 h 40 min left"), (9, "9/9 7 h 30 min, about 0 s left")],
)
def test_a_terminal_gets_the_time_gone_and_the_time_left_however_slow_the_work_is(done: int, shown_as: str) -> None:
    clock = [0.0]
    screen = StringIO()
    with open_bar(Console(file=screen, force_terminal=True, width=100), lambda: clock[0]) as bar:
        task = bar.add_task("training", total=9)
        for _ in range(done):
            clock[0] += 3000
            bar.advance(task)
        bar.refresh()
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", screen.getvalue())
    assert shown_as in text
