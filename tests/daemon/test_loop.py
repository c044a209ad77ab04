"""The loop sleeps until something is due, and leaves a feed in trouble in peace."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pandas as pd
import pytest

from daemon.loop import LONGEST_PAUSE_S, pause_s
from daemon.services import Services

ServicesAt = Callable[..., AbstractContextManager[Services]]


@pytest.mark.parametrize(("ahead_s", "pause"), [(-5.0, 0.0), (0.0, 0.0), (7.5, 7.5), (86_400.0, 60.0)])
def test_it_sleeps_until_the_wake_but_never_longer_than_a_poll(
    ahead_s: float, pause: float, copy: Path, services_at: ServicesAt
) -> None:
    with services_at(copy, "2021-10-06 08:50") as services:
        wake = pd.Timestamp(services.clock.now()) + pd.Timedelta(seconds=ahead_s)
        assert pause_s(services, wake, vain=0) == pause


def test_each_vain_attempt_doubles_the_pause_up_to_half_an_hour(copy: Path, services_at: ServicesAt) -> None:
    with services_at(copy, "2021-10-06 08:50") as services:
        wake = pd.Timestamp(services.clock.now()) + pd.Timedelta("7h")
        pauses = [pause_s(services, wake, vain=vain) for vain in (1, 2, 3, 4, 5, 6, 7, 1000)]
    assert pauses == [60.0, 120.0, 240.0, 480.0, 960.0, LONGEST_PAUSE_S, LONGEST_PAUSE_S, LONGEST_PAUSE_S]


def test_a_vain_night_does_not_sleep_through_the_decision(copy: Path, services_at: ServicesAt) -> None:
    with services_at(copy, "2021-10-06 08:44") as services:
        wake = pd.Timestamp("2021-10-06 08:45", tz="Asia/Kolkata")
        assert pause_s(services, wake, vain=8) == 60.0
