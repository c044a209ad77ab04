"""What a run knew can be read again, whatever comes in later and whichever way the clock goes."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, event

from storage.bar_store import read_bars, write_bars
from storage.run_store import Run, RunStatus, write_runs
from storage.sightings import next_look, next_sighting

MORNING = datetime(2021, 10, 1, 3, 15, tzinfo=UTC)
DAYS = pd.date_range("2021-09-27", periods=3, freq="D", name="session", unit="us")
HALF_SECONDS = st.integers(-4, 4)
LAWS = settings(max_examples=50)
BARS = st.lists(st.tuples(st.sampled_from(range(3)), st.sampled_from([100.0, 101.0])), min_size=1, max_size=3)


@contextmanager
def rolled_back(store: Engine) -> Iterator[Connection]:
    with store.connect() as conn, conn.begin() as trial:
        yield conn
        trial.rollback()


@LAWS
@given(st.lists(st.tuples(HALF_SECONDS, BARS, st.booleans()), max_size=8))
def test_what_a_run_knew_is_read_again_whatever_came_later_and_however_the_clock_went(
    shared_store: Engine, told: list[tuple[int, list[tuple[int, float]], bool]]
) -> None:
    with rolled_back(shared_store) as conn:
        looks = [look(conn, place, *one) for place, one in enumerate(told)]
        for known_at, known in filter(None, looks):
            pd.testing.assert_frame_equal(read_bars(conn, ["A"], known_at=known_at)["A"], known)


def look(
    conn: Connection, place: int, half_seconds: int, came: list[tuple[int, float]], looked: bool
) -> tuple[datetime, pd.DataFrame] | None:
    """Bars come in, and perhaps a run looks at all there are: when it did, and what it saw."""
    now = MORNING + timedelta(seconds=half_seconds / 2)
    write_bars(conn, "A", frame(dict(came)), seen_at=next_sighting(conn, now), provider="test")
    if not looked:
        return None
    known_at = next_look(conn, now)
    session = (DAYS[0] + pd.Timedelta(days=place)).date()
    write_runs(conn, [Run("live", "decide", session, RunStatus.DONE, now, now, bars_known_at=known_at)])
    return known_at, read_bars(conn, ["A"])["A"]


def frame(closes: dict[int, float]) -> pd.DataFrame:
    days = DAYS[sorted(closes)]
    close = [closes[day] for day in sorted(closes)]
    prices = dict.fromkeys(("open", "high", "low", "close", "adj_close"), close)
    return pd.DataFrame({**prices, "volume": 1.0}, index=days)


def test_a_look_reads_no_bar(conn: Connection) -> None:
    write_bars(conn, "A", frame({0: 100.0}), seen_at=MORNING + timedelta(hours=1), provider="test")
    asked: list[str] = []
    event.listen(conn, "before_cursor_execute", lambda *given: asked.append(given[2]))
    assert next_look(conn, MORNING) == MORNING + timedelta(hours=1)
    assert asked
    assert not any("FROM bars" in statement for statement in asked)


def test_bars_that_come_in_the_second_of_a_look_are_seen_in_the_next(conn: Connection) -> None:
    write_runs(conn, [Run("live", "decide", DAYS[0].date(), RunStatus.DONE, MORNING, MORNING, bars_known_at=MORNING)])
    assert next_sighting(conn, MORNING + timedelta(milliseconds=900)) == MORNING + timedelta(seconds=1)
    assert next_sighting(conn, MORNING + timedelta(seconds=5)) == MORNING + timedelta(seconds=5)
