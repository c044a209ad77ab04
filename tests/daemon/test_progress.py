"""Whoever waits is told how long, and gets every item."""

from collections.abc import Iterator
from itertools import count

import pytest
from loguru import logger

from daemon.progress import logged, shown


@pytest.fixture
def lines() -> Iterator[list[str]]:
    found: list[str] = []
    handler = logger.add(lambda line: found.append(str(line).strip()), format="{message}")
    yield found
    logger.remove(handler)


def test_a_log_gets_a_line_a_minute_with_the_time_left(lines: list[str]) -> None:
    clock = count(step=40)  # seconds an item
    items = list(logged(range(6), total=6, label="training", monotonic_s=lambda: float(next(clock))))
    assert items == list(range(6))
    assert lines == ["training: 2 of 6 done, about 3 min left", "training: 4 of 6 done, about 1 min left"]


def test_short_work_is_not_talked_about(lines: list[str]) -> None:
    assert list(shown("abc", total=3, label="training")) == ["a", "b", "c"]
    assert lines == []
