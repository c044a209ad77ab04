"""A clock that was moved is noticed, and one that cannot be right decides nothing."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.clock import Reading, SystemClock
from daemon.service.clock_watch import JUMP_S, ClockError, ClockWatch, check_clock

START = Reading(datetime(2026, 3, 2, 3, 15, tzinfo=UTC), since_boot_s=1000.0, awake_s=900.0)


class Turned:
    """A clock that a test turns."""

    def __init__(self) -> None:
        self.reading = START

    def now(self) -> datetime:
        return self.reading.now

    def read(self) -> Reading:
        return self.reading

    def turn(self, *, wall_s: float, boot_s: float, awake_s: float) -> None:
        was = self.reading
        now = was.now + timedelta(seconds=wall_s)
        self.reading = Reading(now, was.since_boot_s + boot_s, was.awake_s + awake_s)


@pytest.mark.parametrize(
    ("wall_s", "boot_s", "awake_s", "said"),
    [
        (10, 10, 10, []),
        (7210, 7210, 10, ["the machine slept for 2:00:00; what fell due meanwhile is done now"]),
        (3610, 10, 10, ["the clock was moved forward by 1:00:00, to 2026-03-02 04:15:10Z"]),
        (-3590, 10, 10, ["the clock was moved back by 1:00:00, to 2026-03-02 02:15:10Z"]),
        (10 + JUMP_S - 1, 10, 10, []),
    ],
)
def test_a_jump_and_a_sleep_are_told_apart(
    wall_s: float, boot_s: float, awake_s: float, said: list[str], lines: list[str]
) -> None:
    clock = Turned()
    watch = ClockWatch(clock)
    clock.turn(wall_s=wall_s, boot_s=boot_s, awake_s=awake_s)
    assert watch.jumped() is bool(said)
    assert lines == said
    assert not watch.jumped()  # told once


@given(st.lists(st.floats(0, 86_400), max_size=20))
def test_time_that_merely_passes_is_no_jump(steps: list[float]) -> None:
    clock = Turned()
    watch = ClockWatch(clock)
    for step in steps:
        clock.turn(wall_s=step, boot_s=step, awake_s=step)
        assert not watch.jumped()


def test_the_machines_own_clocks_agree() -> None:
    clock = SystemClock()
    watch = ClockWatch(clock)
    assert not watch.jumped()
    assert replace(clock.read(), now=clock.now()).awake_s <= clock.read().since_boot_s + 1


@pytest.mark.parametrize("year", [1970, 2019, 2100, 2199])
def test_a_year_that_cannot_be_is_refused_with_the_remedy(year: int) -> None:
    with pytest.raises(ClockError, match=rf"the clock says {year}-05-05 00:00Z; .* 2020 and 2100.*timedatectl"):
        check_clock(datetime(year, 5, 5, tzinfo=UTC), None)


def test_an_instant_before_a_bar_that_is_stored_is_refused_unless_it_is_the_zones_day() -> None:
    bar = date(2026, 3, 2)
    check_clock(datetime(2026, 3, 1, 20, 0, tzinfo=UTC), bar)  # in Tokyo it is Monday
    with pytest.raises(ClockError, match="a bar of 2026-03-02 is stored"):
        check_clock(datetime(2026, 2, 28, 20, 0, tzinfo=UTC), bar)
