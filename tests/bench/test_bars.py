"""The sides of `bars` do the same work, and the feed does not change its mind."""

import sqlite3
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from pandas.testing import assert_frame_equal

from daemon.bars.ingest import ingest
from tests.bench import bars


@pytest.fixture
def feed() -> bars.MadeUp:
    return bars.MadeUp(bars.calendar_of().sessions)


def test_the_made_up_feed_gives_the_same_bars_whenever_it_is_asked(feed: bars.MadeUp) -> None:
    first = feed.fetch(["S0007.NS"], first=date(2020, 1, 1), last=date(2020, 12, 31))["S0007.NS"]
    later = feed.fetch(["S0007.NS"], first=date(2019, 1, 1), last=date(2021, 12, 31))["S0007.NS"]
    assert not isinstance(first, Exception)
    assert not isinstance(later, Exception)
    assert_frame_equal(first.bars, later.bars.loc[first.bars.index[0] : first.bars.index[-1]])


def test_the_plain_insert_writes_what_the_reading_writes(feed: bars.MadeUp, tmp_path: Path) -> None:
    now = datetime(2026, 7, 1, 12, tzinfo=UTC)
    services = bars.services_of(tmp_path, ["S0001.NS"], feed, now, name="read.db")
    ingest(services, bars.calendar_of(), compares=False)
    services.engine.dispose()
    bars.plain_insert_s(tmp_path / "plain.db", {"S0001.NS": feed.bars("S0001.NS")})
    query = "SELECT symbol, session, open, close, volume FROM bars ORDER BY session DESC LIMIT 40"
    read, plain = (sqlite3.connect(tmp_path / name).execute(query).fetchall() for name in ("read.db", "plain.db"))
    assert read == plain
    assert len(read) == bars.DAILY_SESSIONS
