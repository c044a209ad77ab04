"""A feed in trouble for an hour, a day or a week: nothing wrong is written, and all is made up when it is back."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

from storage.feeds import FeedError, History
from storage.feeds.feed import FeedDown, FeedRefused
from tests.daemon.faults.cheap import Rows, assert_same, assert_same_but_late, become_yahoos, rows_of
from tests.daemon.faults.world import BEGIN, END, Answers, Fault, ServicesAt, World, during, live, utc

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
AT_DECISION, AT_SETTLEMENT = utc("2021-10-07 03:00"), utc("2021-10-07 10:40")
"""A quarter before 08:45 in India, and twenty minutes before 16:30."""
FOURTEENTH = utc("2021-10-14 13:00")


def away(answers: Answers) -> Answers:
    return {symbol: FeedDown(f"{symbol} cannot be had now.") for symbol in answers}


def refused(answers: Answers) -> Answers:
    return {symbol: FeedRefused(f"too many requests for {symbol}.") for symbol in answers}


def end_lost(answers: Answers) -> Answers:
    """The newest three bars are not there."""
    return on_bars(answers, lambda bars: bars.iloc[:-3])


def beginning_lost(answers: Answers) -> Answers:
    return on_bars(answers, lambda bars: bars.iloc[len(bars) // 2 :])


def swapped(answers: Answers) -> Answers:
    """Each symbol gets the other's bars, in its own name."""
    return dict(zip(answers, reversed(list(answers.values())), strict=True))


def on_bars(answers: Answers, change: Callable[[pd.DataFrame], pd.DataFrame]) -> Answers:
    return {
        symbol: replace(answer, bars=change(answer.bars)) if isinstance(answer, History) else answer
        for symbol, answer in answers.items()
    }


def lived_through(folder: Path, services_at: ServicesAt, fault: Fault, since: datetime, until: datetime) -> World:
    world = World(BEGIN)
    live(folder, services_at, world, END, during(since, until, fault))
    return world


FAULTS = [away, refused, end_lost, beginning_lost, swapped]
SLOWLY = pytest.mark.slow
"""It asks again and again, and each time reads all that it was given."""


@pytest.mark.parametrize(
    ("fault", "last"),
    [
        *(pytest.param(fault, HOUR, marks=SLOWLY) for fault in FAULTS),
        *(pytest.param(fault, 15 * HOUR, marks=SLOWLY) for fault in FAULTS),
    ],
)
def test_a_feed_in_trouble_at_a_settlement_changes_no_row(
    fault: Fault, last: timedelta, cheap: Path, services_at: ServicesAt, undisturbed: Rows
) -> None:
    world = lived_through(cheap, services_at, fault, AT_SETTLEMENT, AT_SETTLEMENT + last)
    assert any(world.statuses) == (fault is not beginning_lost)
    assert_same(rows_of(cheap), undisturbed)


@pytest.mark.parametrize(
    ("fault", "late"),
    [
        pytest.param(end_lost, 0, marks=SLOWLY),
        *(pytest.param(fault, 1, marks=SLOWLY) for fault in (away, refused, swapped)),
    ],
)
def test_a_feed_in_trouble_for_an_hour_at_a_decision_makes_it_late_at_most(
    fault: Fault, late: int, cheap: Path, services_at: ServicesAt, undisturbed: Rows
) -> None:
    lived_through(cheap, services_at, fault, AT_DECISION, AT_DECISION + HOUR)
    assert_same_but_late(rows_of(cheap), undisturbed, late=["2021-10-07"] * late)


@pytest.mark.slow
def test_of_another_symbols_bars_nothing_is_taken_and_the_line_says_so(
    cheap: Path, services_at: ServicesAt, lines: list[str]
) -> None:
    before = rows_of(cheap)["bars"]
    world = World(BEGIN, fault=swapped)
    live(cheap, services_at, world, BEGIN + HOUR)
    pd.testing.assert_frame_equal(rows_of(cheap)["bars"], before)
    assert any("stored bars came back changed by odd factors" in line for line in lines)
    (failed,) = rows_of(cheap)["runs"].query("session == '2021-10-06'").itertuples()
    assert (failed.kind, failed.status) == ("decide", "failed")


@SLOWLY
@pytest.mark.timeout(900)
def test_a_feed_that_is_away_for_a_week_leaves_its_sessions_late_with_the_same_forecasts(
    cheap: Path, services_at: ServicesAt
) -> None:
    up = Path(shutil.copytree(cheap, cheap.with_name("up")))
    live(up, services_at, World(BEGIN), FOURTEENTH)
    since = utc("2021-10-06 06:30")
    live(cheap, services_at, World(BEGIN), FOURTEENTH, during(since, since + 7 * DAY, away))
    late = [f"2021-10-{day}" for day in ("07", "08", "11", "12", "13")]
    assert_same_but_late(rows_of(cheap), rows_of(up), late=late)


@SLOWLY
def test_a_provider_that_refuses_for_an_hour_is_asked_a_few_times_and_no_row_differs(
    cheap: Path, services_at: ServicesAt, undisturbed: Rows
) -> None:
    """On the network it is left in peace, as a folder of files is not."""
    become_yahoos(cheap)
    world = World(BEGIN, provider="yahoo")
    live(cheap, services_at, world, AT_SETTLEMENT)
    before, world.fault = world.asked, refused
    live(cheap, services_at, world, AT_SETTLEMENT + HOUR)
    assert 1 <= world.asked - before <= 3
    world.fault = None
    live(cheap, services_at, world, END)
    found = rows_of(cheap)
    found["bars"]["provider"] = undisturbed["bars"]["provider"]
    assert_same(found, undisturbed)


@SLOWLY
def test_a_traded_symbol_that_fails_for_a_day_is_held_once_and_the_other_decided_as_ever(
    cheap: Path, services_at: ServicesAt
) -> None:
    config = cheap / "config.toml"
    config.write_text(
        config.read_text().replace('"AAA.NS"]\npeers = [', '"AAA.NS", ').replace("context", "peers = []\ncontext")
    )
    up = Path(shutil.copytree(cheap, cheap.with_name("up")))
    live(up, services_at, World(BEGIN), END)
    since = utc("2021-10-06 06:30")
    live(cheap, services_at, World(BEGIN), END, during(since, since + DAY, without_bbb))
    found, expected = rows_of(cheap), rows_of(up)
    for name in ("bars", "outcomes"):
        pd.testing.assert_frame_equal(found[name], expected[name], check_exact=True)
    assert not found["signals"]["late"].any()
    (held,) = found["signals"].query("session == '2021-10-07' and symbol == 'BBB.NS'").itertuples()
    assert (held.action, held.reasons) == ("HOLD", '["STALE_DATA"]')
    pd.testing.assert_frame_equal(decided_of_aaa(found), decided_of_aaa(expected), check_exact=True)


def decided_of_aaa(rows: Rows) -> pd.DataFrame:
    of_aaa = rows["signals"].query("symbol == 'AAA.NS'").reset_index(drop=True)
    return of_aaa[["session", "action", "probability", "quantity"]]


def without_bbb(answers: Answers) -> Answers:
    return {**answers, "BBB.NS": FeedError("BBB.NS cannot be had now.")}
