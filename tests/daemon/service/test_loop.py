"""The loop sleeps until something is due, spares a feed in trouble, and mistrusts a clock that must be wrong."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from pathlib import Path

import pandas as pd
import pytest

from daemon.service.clock_watch import Trust
from daemon.service.loop import LONGEST_PAUSE_S, MONTH_TURN, SESSION, TICK, Loop, pause_s
from daemon.service.waker import Waker
from daemon.services import Services
from daemon.sessions import reconcile
from daemon.sessions.due import Timetable
from ensemble.sessions import load_calendar
from storage.engine import reading
from storage.errors import DamagedStore
from storage.model_index import read_models
from storage.run_store import read_runs
from storage.tables import LIVE
from tests.daemon.loop_by_hand import SetClock, loop_under

ServicesAt = Callable[..., AbstractContextManager[Services]]
FAR = pd.Timestamp("2021-10-20 09:15", tz="Asia/Kolkata")


@pytest.mark.parametrize(("ahead_s", "pause"), [(-5.0, 0.0), (0.0, 0.0), (7.5, 7.5), (86_400.0, 60.0)])
def test_it_sleeps_until_the_wake_but_never_longer_than_a_poll(
    ahead_s: float, pause: float, copy: Path, services_at: ServicesAt
) -> None:
    with services_at(copy, "2021-10-06 08:50") as services:
        wake = pd.Timestamp(services.clock.now()) + pd.Timedelta(seconds=ahead_s)
        assert pause_s(services, wake, opening=FAR, vain=0) == pause


def test_each_vain_attempt_doubles_the_pause_up_to_half_an_hour(copy: Path, services_at: ServicesAt) -> None:
    with services_at(copy, "2021-10-06 08:50") as services:
        wake = pd.Timestamp(services.clock.now()) + pd.Timedelta("7h")
        pauses = [pause_s(services, wake, opening=FAR, vain=vain) for vain in (1, 2, 3, 4, 5, 6, 7, 1000)]
    assert pauses == [60.0, 120.0, 240.0, 480.0, 960.0, LONGEST_PAUSE_S, LONGEST_PAUSE_S, LONGEST_PAUSE_S]


def test_a_vain_night_does_not_sleep_through_the_decision(copy: Path, services_at: ServicesAt) -> None:
    with services_at(copy, "2021-10-06 08:44") as services:
        wake = pd.Timestamp("2021-10-06 08:45", tz="Asia/Kolkata")
        assert pause_s(services, wake, opening=FAR, vain=8) == 60.0


def test_a_feed_that_comes_back_before_the_open_is_asked_before_the_open(copy: Path, services_at: ServicesAt) -> None:
    """Doubling alone would ask at 08:46, 08:48, 08:52, 09:00 and then after the open."""
    opening, asked = pd.Timestamp("2021-10-06 09:15", tz="Asia/Kolkata"), list[pd.Timestamp]()
    with services_at(copy, "2021-10-06 08:45") as services:
        now = pd.Timestamp("2021-10-06 08:45", tz="Asia/Kolkata")
        while now < opening:
            at = replace(services, clock=SetClock(now.to_pydatetime()))
            now += pd.Timedelta(seconds=round(pause_s(at, FAR, opening=opening, vain=len(asked) + 1)))
            asked.append(now)
    for before, later in pairwise(asked):
        assert later - before <= max(pd.Timedelta("60s"), (opening - before) / 4 + pd.Timedelta("1s"))
    assert asked[-2] >= opening - pd.Timedelta("60s")
    assert len(asked) < 15


@contextmanager
def loop_at(folder: Path, instant: datetime, services_at: ServicesAt) -> Iterator[Loop]:
    with services_at(folder, "2021-10-05 17:00") as services:
        yield loop_under(SetClock(instant), services)


def done(loop: Loop) -> int:
    with reading(loop.services.engine) as conn:
        return len(read_runs(conn, LIVE, newest=10_000))


@pytest.mark.parametrize("year", [1970, 2018, 2150])
def test_a_clock_that_cannot_be_right_decides_nothing_and_is_looked_at_again(
    year: int, copy: Path, services_at: ServicesAt
) -> None:
    with loop_at(copy, datetime(year, 6, 1, tzinfo=UTC), services_at) as loop:
        before = done(loop)
        assert 0 < loop.turn() <= LONGEST_PAUSE_S
        assert f"ClockError: the clock says {year}" in loop.status
        assert done(loop) == before


def nothing_traded_after(day: str, folder: Path) -> None:
    """The feed's files end there."""
    for path in (folder / "bars").glob("*.csv"):
        lines = pd.read_csv(path)
        lines[lines["Date"] <= day].to_csv(path, index=False)


def test_a_clock_set_years_ahead_decides_no_session_that_is_yet_to_come(copy: Path, services_at: ServicesAt) -> None:
    nothing_traded_after("2021-10-05", copy)
    with loop_at(copy, datetime(2023, 6, 1, tzinfo=UTC), services_at) as loop:
        before = done(loop)
        loop.turn()
        assert "sessions since 2021-10-05 are due" in loop.status
        assert done(loop) == before
        loop.services = replace(loop.services, clock=SetClock(datetime(2021, 10, 6, 3, 20, tzinfo=UTC)))
        loop.turn()
        assert loop.status == ""
        assert done(loop) == before + 1  # in time, as if nothing had been


class RingsAsTheClockLeaps(Waker):
    """It has rung just when somebody set the clock a day ahead."""

    def __init__(self, clock: SetClock) -> None:
        super().__init__()
        self.clock = clock

    def wait(self, timeout_s: float) -> frozenset[str]:
        self.clock.instant += timedelta(days=1)
        return frozenset({TICK, SESSION})


def test_a_clock_that_leaps_just_before_a_ring_is_doubted_and_decides_no_session_to_come(
    copy: Path, services_at: ServicesAt
) -> None:
    nothing_traded_after("2021-10-05", copy)
    with services_at(copy, "2021-10-05 17:00") as services:
        clock = SetClock(services.clock.now())
        loop = loop_under(clock, services)
        loop.watch.bear_out()
        before = done(loop)
        loop.turn()
        loop.waker = RingsAsTheClockLeaps(clock)
        rung = loop._waited(60.0)
        assert (set(rung), loop.watch.trust) == ({SESSION}, Trust.DOUBTED)
        loop.turn(rung)
        assert "by a clock that was moved forward" in loop.status
        assert done(loop) == before


def test_a_database_that_is_damaged_at_work_ends_the_daemon_for_the_next_start_to_replace_it(
    copy: Path, services_at: ServicesAt
) -> None:
    with loop_at(copy, datetime(2021, 10, 6, 3, 20, tzinfo=UTC), services_at) as loop:
        loop.services.engine.dispose()
        database = copy / "state" / "signals.db"
        for beside in ("-wal", "-shm"):
            database.with_name(database.name + beside).unlink(missing_ok=True)
        database.write_bytes(b"no database".ljust(database.stat().st_size, b"\0"))
        with pytest.raises(DamagedStore):
            loop.turn()


def test_it_looks_for_the_next_sessions_model_at_its_start_and_at_the_turn_of_a_month_until_it_could(
    copy: Path, services_at: ServicesAt, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = list[datetime]()
    monkeypatch.setattr("daemon.service.loop.prepare_ahead", lambda services: looked.append(services.clock.now()))
    with loop_at(copy, datetime(1970, 1, 1, tzinfo=UTC), services_at) as loop:
        loop.turn()  # no clock to do anything by
        assert looked == []
        evening = datetime(2021, 10, 5, 12, tzinfo=UTC)
        loop.services = replace(loop.services, clock=SetClock(evening))
        for rung in (frozenset[str](), frozenset({TICK}), frozenset[str]()):
            loop.turn(rung)
        assert looked == [evening]
        loop.turn(frozenset({MONTH_TURN}))
        assert looked == [evening, evening]


class _Killed(BaseException):
    pass


def _kills(*_: object) -> None:
    raise _Killed


@pytest.mark.slow
def test_a_kill_between_the_last_settlement_and_the_next_months_model_is_made_good_by_the_next_start(
    copy: Path, services_at: ServicesAt, monkeypatch: pytest.MonkeyPatch
) -> None:
    evening = datetime(2021, 10, 29, 12, tzinfo=UTC)
    with loop_at(copy, evening, services_at) as loop:
        with monkeypatch.context() as killing:
            killing.setattr(reconcile, "_prepare_following", _kills)
            with pytest.raises(_Killed):
                loop.turn()
        started = loop_under(SetClock(evening), loop.services)
        with reading(loop.services.engine) as conn:
            before = [entry.month for entry in read_models(conn)]
        started.turn()
        with reading(loop.services.engine) as conn:
            made = [entry.month for entry in read_models(conn)]
    assert "2021-11" not in before
    assert "2021-11" in made
    assert started.status == ""


def test_at_the_turn_of_new_yorks_clocks_a_decision_stays_at_nine_in_new_york() -> None:
    calendar = load_calendar("XNYS", first=date(2026, 3, 2), last=date(2026, 11, 10))
    table = Timetable(calendar, time(9, 0), delay_min=60)
    for now, expected in (
        ("2026-03-06 13:00", "2026-03-06 14:00"),  # winter: five hours behind
        ("2026-03-08 12:00", "2026-03-09 13:00"),  # summer
        ("2026-10-30 20:59", "2026-10-30 21:00"),  # settled an hour after the close, still summer
        ("2026-11-02 13:30", "2026-11-02 14:00"),  # winter again
    ):
        assert table.next_wake(pd.Timestamp(now, tz="UTC")) == pd.Timestamp(expected, tz="UTC")
