"""Whatever is done to the clock, to the time zone or by a long sleep, the same is decided as without it."""

import shutil
import time
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

from daemon.health.judge import Ill
from daemon.health.snapshot import take_snapshot
from daemon.sessions.reconcile import reconcile
from tests.daemon.faults.cheap import Rows, assert_same, assert_same_but_late, rows_of, write_cheap
from tests.daemon.faults.world import BEGIN, END, ServicesAt, World, live, utc

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
NOON, EVENING, EARLY = utc("2021-10-06 06:30"), utc("2021-10-06 15:00"), utc("2021-10-07 01:00")
FRIDAY = utc("2021-10-08 06:30")
MOVES = {"+1h": HOUR, "+1d": DAY, "+3d": 3 * DAY, "+30y": 30 * 365 * DAY, "-2h": -2 * HOUR, "-1d": -DAY}


def moved(by: timedelta) -> Callable[[World], None]:
    def move(world: World) -> None:
        world.ahead += by

    return move


def moved_for_two_hours(move: str, at: datetime, folder: Path, services_at: ServicesAt) -> World:
    world = World(BEGIN)
    live(folder, services_at, world, END, {at: moved(MOVES[move]), at + 2 * HOUR: moved(-MOVES[move])})
    return world


@pytest.mark.parametrize(
    ("move", "at"),
    [
        ("+1h", EARLY),
        pytest.param("+3d", NOON, marks=pytest.mark.slow),
        pytest.param("+30y", NOON, marks=pytest.mark.slow),
        pytest.param("-2h", EARLY, marks=pytest.mark.slow),
        pytest.param("-1d", FRIDAY, marks=pytest.mark.slow),
    ],
)
def test_a_clock_that_is_moved_and_put_right_two_hours_later_changes_no_row(
    move: str, at: datetime, cheap: Path, services_at: ServicesAt, undisturbed: Rows
) -> None:
    moved_for_two_hours(move, at, cheap, services_at)
    assert_same(rows_of(cheap), undisturbed)


@pytest.mark.slow
@pytest.mark.parametrize("at", [NOON, EVENING, EARLY, FRIDAY])
@pytest.mark.parametrize("move", MOVES)
def test_a_clock_that_is_moved_at_any_hour_and_put_right_changes_no_row(
    move: str, at: datetime, cheap: Path, services_at: ServicesAt, undisturbed: Rows
) -> None:
    moved_for_two_hours(move, at, cheap, services_at)
    assert_same(rows_of(cheap), undisturbed)


@pytest.mark.slow
def test_a_clock_that_was_three_days_slow_and_is_put_right_decides_in_time_again(
    cheap: Path, services_at: ServicesAt
) -> None:
    """A virtual machine that was paused looks so: like a clock that was moved to where it does not belong."""
    world = World(BEGIN, ahead=-3 * DAY)
    live(cheap, services_at, world, END, {utc("2021-10-07 02:00"): moved(3 * DAY)})
    signals = rows_of(cheap)["signals"].set_index("session")
    assert signals["late"].loc["2021-10-06":].tolist() == [1, 0, 0, 0]


@pytest.mark.slow
@pytest.mark.parametrize(("ahead", "at"), [("+3d", NOON), ("+1d", NOON), ("+3d", EVENING), ("+1d", EARLY)])
def test_a_start_by_a_clock_that_is_days_fast_decides_no_session_to_come(
    ahead: str, at: datetime, cheap: Path, services_at: ServicesAt, undisturbed: Rows
) -> None:
    """It was up until then, and is started again while the clock is wrong."""
    live(cheap, services_at, World(BEGIN), at)
    world = World(at, ahead=MOVES[ahead])
    live(cheap, services_at, world, END, {at + 2 * HOUR: moved(-MOVES[ahead])})
    assert any("no bar has borne out since the start" in status for status in world.statuses)
    assert_same(rows_of(cheap), undisturbed)


def test_a_start_in_the_morning_after_a_short_outage_decides_at_once(cheap: Path, services_at: ServicesAt) -> None:
    world = World(utc("2021-10-08 03:17"))
    live(cheap, services_at, world, utc("2021-10-08 03:30"))
    assert set(world.statuses) == {""}
    signals = rows_of(cheap)["signals"].set_index("session")
    assert signals["late"].loc["2021-10-06":].tolist() == [1, 1, 0]


@pytest.mark.parametrize("away", [pytest.param(1, id="1"), pytest.param(5, id="5", marks=pytest.mark.slow)])
def test_sessions_missed_while_down_are_made_up_late_with_the_same_forecasts(
    away: int, cheap: Path, services_at: ServicesAt
) -> None:
    check_made_up(away, cheap, services_at)


@pytest.mark.slow
def test_thirty_sessions_missed_while_down_are_made_up_across_the_turn_of_a_month(
    cheap: Path, services_at: ServicesAt
) -> None:
    check_made_up(30, cheap, services_at)


def check_made_up(away: int, folder: Path, services_at: ServicesAt) -> None:
    up = Path(shutil.copytree(folder, folder.with_name("up")))
    days = [day for day in pd.date_range("2021-10-06", "2021-12-31") if day in sessions_of(folder)][: away + 1]
    end = utc(f"{days[-1]:%Y-%m-%d} 13:00")
    live(up, services_at, World(BEGIN), end)
    live(folder, services_at, World(utc(f"{days[-1]:%Y-%m-%d} 02:00")), end)
    missed = [f"{day:%Y-%m-%d}" for day in days[:-1]]
    assert_same_but_late(rows_of(folder), rows_of(up), late=missed)


def sessions_of(folder: Path) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(pd.read_csv(folder / "bars" / "AAA.NS.csv", usecols=["Date"])["Date"])


@pytest.mark.slow
def test_a_machine_that_slept_over_a_night_and_a_settlement_makes_them_up_in_time(
    cheap: Path, services_at: ServicesAt, undisturbed: Rows
) -> None:
    wake = utc("2021-10-07 03:00")
    live(cheap, services_at, World(BEGIN), END, {NOON: lambda world: world.sleep_until(wake)})
    assert_same(rows_of(cheap), undisturbed)


@pytest.fixture
def zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "America/New_York"], indirect=True)
@pytest.mark.slow
@pytest.mark.usefixtures("zone")
def test_the_machines_time_zone_changes_no_row(cheap: Path, services_at: ServicesAt, undisturbed: Rows) -> None:
    assert time.tzname != ("UTC", "UTC")
    live(cheap, services_at, World(BEGIN), END)
    assert_same(rows_of(cheap), undisturbed)


@pytest.mark.slow
def test_past_the_end_of_the_calendar_every_weekday_is_a_session_and_health_says_so(
    tmp_path: Path, services_at: ServicesAt
) -> None:
    """Christmas of 2029 is a Tuesday; nothing known today says that the NSE is closed."""
    folder = write_cheap(tmp_path / "late", last=date(2029, 12, 31))
    config = folder / "config.toml"
    config.write_text(config.read_text().replace("2019-01-01", "2029-01-01"))
    for symbol in ("AAA.NS", "BBB.NS"):  # nobody trades on Christmas
        path = folder / "bars" / f"{symbol}.csv"
        path.write_text(
            "".join(line for line in path.read_text().splitlines(True) if not line.startswith("2029-12-25"))
        )
    with services_at(folder, "2029-12-24 08:50") as services:
        reconcile(services)
    world = World(utc("2029-12-24 11:30"))
    live(folder, services_at, world, utc("2029-12-27 13:00"))
    rows = rows_of(folder)
    assert rows["signals"]["session"].tolist() == [f"2029-12-{day}" for day in (24, 25, 26, 27)]
    settled = rows["runs"].query("kind == 'settle'").set_index("session")["status"].to_dict()
    assert settled == {f"2029-12-{day}": "no_data" if day == 25 else "done" for day in (24, 25, 26, 27)}
    with services_at(folder, "2029-12-27 18:30") as services:
        ills = {finding.ill for finding in take_snapshot(services).health.findings}
    assert Ill.CALENDAR_ENDS in ills
