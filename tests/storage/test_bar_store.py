from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal
from sqlalchemy import Connection, Engine, func, select, text

from ensemble.bars import BAR_COLUMNS, BarsError, check_bars
from ensemble.validation.rules import BarRules, Refusal, Series
from ensemble.validation.sifting import sift_bars
from storage.bar_store import (
    BarChanges,
    Newest,
    Withdrawn,
    begins_with,
    newest_of,
    newest_sessions,
    read_bars,
    read_newest_bars,
    read_withdrawn,
    withdraw_bars,
    write_all_bars,
    write_bars,
)
from storage.engine import StoreError, transaction
from storage.refusals import write_quarantine
from storage.tables import bars as bar_table
from storage.tables import quarantine

SYMBOL = "RELIANCE.NS"
SYMBOLS = ("A", "B", "C")
NOON = datetime(2021, 10, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def make_bars(closes: dict[date, float]) -> pd.DataFrame:
    """A complete bars frame whose prices all follow from the close."""
    sessions = sorted(closes)
    close = np.array([closes[session] for session in sessions], dtype=np.float64)
    prices = {"open": close, "high": close * 1.01, "low": close * 0.99, "close": close, "adj_close": close / 2}
    index = pd.DatetimeIndex(np.array(sessions, dtype="datetime64[us]"), name="session")
    return pd.DataFrame(prices | {"volume": np.full(len(close), 1000.0)}, index=index)


def walk(length: int, *, first: str = "2021-01-01", seed: int = 0) -> pd.DataFrame:
    sessions = pd.bdate_range(first, periods=length)
    closes = 100 * np.exp(np.random.default_rng(seed).normal(0, 0.01, length).cumsum())
    return make_bars(dict(zip(sessions.date, closes, strict=True)))


def write(conn: Connection, bars: pd.DataFrame, *, seen_at: datetime = NOON, symbol: str = SYMBOL) -> BarChanges:
    return write_bars(conn, symbol, bars, seen_at=seen_at, provider="test")


def closes_of(conn: Connection, *, known_at: datetime | None = None) -> dict[date, float]:
    frame = read_bars(conn, [SYMBOL], known_at=known_at)[SYMBOL]
    return dict(zip(pd.DatetimeIndex(frame.index).date, frame["close"], strict=True))


def count_versions(conn: Connection) -> int:
    return conn.scalar(select(func.count()).select_from(bar_table)) or 0


@contextmanager
def rolled_back(engine: Engine) -> Iterator[Connection]:
    with engine.connect() as conn, conn.begin() as work:
        yield conn
        work.rollback()


def test_bars_come_back_as_they_were_written(conn: Connection) -> None:
    bars = walk(300)
    assert write(conn, bars) == BarChanges(added=300, changed=0)
    back = read_bars(conn, [SYMBOL])[SYMBOL]
    assert_frame_equal(back, bars, check_exact=True)
    check_bars(back, complete=True)


def test_missing_values_of_context_bars_come_back_missing(conn: Connection) -> None:
    bars = walk(3).assign(open=np.nan, high=np.nan, low=np.nan, volume=np.nan)
    write(conn, bars)
    assert_frame_equal(read_bars(conn, [SYMBOL])[SYMBOL], bars)
    assert write(conn, bars, seen_at=NOON + DAY) == BarChanges(added=0, changed=0)


def test_a_session_index_in_nanoseconds_is_the_same_session(conn: Connection) -> None:
    bars = walk(3)
    write(conn, bars.set_axis(pd.DatetimeIndex(bars.index).as_unit("ns")))
    assert write(conn, bars, seen_at=NOON + DAY) == BarChanges(added=0, changed=0)


def test_every_symbol_asked_for_is_answered_if_only_with_no_bars(conn: Connection) -> None:
    write(conn, walk(5), symbol="TCS.NS")
    answer = read_bars(conn, ["TCS.NS", "NOTHING"])
    assert {symbol: len(frame) for symbol, frame in answer.items()} == {"TCS.NS": 5, "NOTHING": 0}
    check_bars(answer["NOTHING"], complete=True)


def test_bars_are_read_from_the_first_session_asked_for(conn: Connection) -> None:
    bars = walk(10)
    write(conn, bars)
    first = pd.DatetimeIndex(bars.index)[4]
    assert_frame_equal(read_bars(conn, [SYMBOL], first=first.date())[SYMBOL], bars[4:])
    assert_frame_equal(read_bars(conn, [SYMBOL], first=first)[SYMBOL], bars[4:])


def test_a_revised_bar_is_added_and_the_old_one_stays(conn: Connection) -> None:
    session = date(2021, 9, 30)
    write(conn, make_bars({session: 100.0}))
    assert write(conn, make_bars({session: 101.0}), seen_at=NOON + DAY) == BarChanges(added=0, changed=1)
    assert closes_of(conn) == {session: 101.0}
    assert closes_of(conn, known_at=NOON + DAY) == {session: 101.0}
    assert closes_of(conn, known_at=NOON + DAY - timedelta(seconds=1)) == {session: 100.0}
    assert closes_of(conn, known_at=NOON - timedelta(seconds=1)) == {}
    assert count_versions(conn) == 2


def test_a_number_that_only_rounding_changed_is_not_a_revision(conn: Connection) -> None:
    session = date(2021, 9, 30)
    write(conn, make_bars({session: 100.0}))
    assert write(conn, make_bars({session: 100.00000001}), seen_at=NOON + DAY) == BarChanges(0, 0)
    assert write(conn, make_bars({session: 100.000001}), seen_at=NOON + DAY) == BarChanges(0, 1)


@pytest.mark.parametrize("off", [-4e-7, 4e-7])
def test_an_adjusted_close_that_was_only_worked_out_otherwise_is_not_a_revision(conn: Connection, off: float) -> None:
    bars = walk(40)
    write(conn, bars)
    again = bars.assign(adj_close=bars["adj_close"] * (1 + off))
    assert begins_with(again, bars)
    assert write(conn, again, seen_at=NOON + DAY) == BarChanges(0, 0)
    assert_frame_equal(read_bars(conn, [SYMBOL])[SYMBOL], bars)
    small_dividend = bars.assign(adj_close=bars["adj_close"] * (1 - 3e-6))
    assert not begins_with(small_dividend, bars)
    assert write(conn, small_dividend, seen_at=NOON + 2 * DAY) == BarChanges(0, 40)


@pytest.mark.parametrize("column", BAR_COLUMNS)
def test_a_change_of_any_column_is_a_revision(conn: Connection, column: str) -> None:
    bars = walk(3).assign(open=np.nan, high=np.nan, low=np.nan)
    write(conn, bars)
    revised = bars.copy()
    revised.loc[revised.index[1], column] = 90.0 if column == "low" else 110.0 if column == "high" else 100.0
    assert write(conn, revised, seen_at=NOON + DAY) == BarChanges(added=0, changed=1)
    assert_frame_equal(read_bars(conn, [SYMBOL])[SYMBOL], revised)


def test_of_two_bars_seen_in_one_second_the_later_call_wins(conn: Connection) -> None:
    session = date(2021, 9, 30)
    for microsecond, close in enumerate((100.0, 101.0, 102.0)):
        write(conn, make_bars({session: close}), seen_at=NOON.replace(microsecond=microsecond))
    assert closes_of(conn) == closes_of(conn, known_at=NOON) == {session: 102.0}
    assert count_versions(conn) == 1


def test_a_time_is_the_same_instant_in_any_zone(conn: Connection) -> None:
    india = timezone(timedelta(hours=5, minutes=30))
    write(conn, walk(3), seen_at=NOON.astimezone(india))
    assert len(closes_of(conn, known_at=NOON)) == 3
    assert closes_of(conn, known_at=NOON - timedelta(seconds=1)) == {}


def test_a_time_without_a_zone_is_refused(conn: Connection) -> None:
    with pytest.raises(Exception, match="must carry a time zone"):
        write(conn, walk(3), seen_at=NOON.replace(tzinfo=None))


def test_what_is_no_bars_frame_is_refused(conn: Connection) -> None:
    with pytest.raises(BarsError):
        write(conn, walk(3).assign(close=-1.0))


def test_no_bars_change_nothing(conn: Connection) -> None:
    assert write(conn, walk(3)[:0]) == BarChanges(added=0, changed=0)


def test_newest_sessions_are_those_of_each_symbol(conn: Connection) -> None:
    write(conn, walk(10), symbol="A")
    write(conn, walk(5), symbol="B")
    newest = {symbol: walk(length).index[-1] for symbol, length in (("A", 10), ("B", 5))}
    assert newest_sessions(conn) == newest


def test_the_newest_bar_of_each_symbol_has_its_session_and_the_feed_of_its_newest_version(conn: Connection) -> None:
    write(conn, walk(10), symbol="A")
    write_bars(conn, "A", walk(10, seed=1).tail(1), seen_at=NOON + DAY, provider="another")
    write(conn, walk(5), symbol="B")
    sessions = [walk(length).index[-1].date() for length in (10, 5)]
    assert newest_of(conn, ["B", "A", "C"]) == {"B": Newest(sessions[1], "test"), "A": Newest(sessions[0], "another")}


def test_the_newest_bars_of_many_symbols_are_what_is_read_of_each(conn: Connection) -> None:
    for seed, name in enumerate(SYMBOLS):
        write(conn, walk(30, seed=seed), symbol=name)
        write(conn, walk(9, seed=seed + 10), symbol=name, seen_at=NOON + DAY)
    days = pd.DatetimeIndex(walk(30).index).date
    firsts = {"C": days[3], "A": days[20], "B": days[3], "D": days[0]}
    found = read_newest_bars(conn, firsts)
    assert list(found) == list(firsts)
    for name, first in firsts.items():
        assert_frame_equal(found[name], read_bars(conn, [name], first=first)[name])


def test_bars_of_many_symbols_are_checked_as_those_of_one(conn: Connection) -> None:
    torn = walk(3).assign(high=1.0)
    with pytest.raises(BarsError, match="range"):
        write_all_bars(conn, {"A": walk(3), "B": torn}, seen_at=NOON, provider="test")
    with pytest.raises(BarsError, match="strictly increasing"):
        write_all_bars(conn, {"A": walk(3), "B": walk(3)[::-1]}, seen_at=NOON, provider="test")
    with pytest.raises(BarsError, match="column types"):
        write_all_bars(conn, {"C": walk(3).astype({"volume": int})}, seen_at=NOON, provider="test")


@pytest.mark.parametrize("close", [0.0, -1.0, 1e9, float("inf"), float("nan"), "cheap"])
def test_the_database_itself_refuses_a_price_that_is_none(store: Engine, close: object) -> None:
    with transaction(store) as conn:
        write(conn, walk(1))
    with pytest.raises(StoreError, match="refused a row"), transaction(store) as conn:
        conn.execute(text("UPDATE bars SET close = :close"), {"close": close})


SESSIONS = [date(2021, 9, 6) + DAY * k for k in range(4)]
PRICES = st.integers(1, 4).map(lambda step: 100.0 + step)
SOME_CLOSES = st.dictionaries(st.sampled_from(SESSIONS), PRICES, min_size=1)
SOME_LOADS = st.tuples(
    st.integers(0, 5), st.dictionaries(st.sampled_from(SYMBOLS), SOME_CLOSES), st.sampled_from([None, *SYMBOLS])
)
LAWS = settings(max_examples=30, deadline=None)


@LAWS
@given(loads=st.lists(SOME_CLOSES, min_size=1, max_size=5))
def test_writing_the_same_bars_again_changes_nothing(shared_store: Engine, loads: Sequence[dict[date, float]]) -> None:
    with rolled_back(shared_store) as conn:
        for k, closes in enumerate(loads):
            write(conn, make_bars(closes), seen_at=NOON + k * DAY)
            versions, current = count_versions(conn), closes_of(conn)
            for again in (NOON + k * DAY, NOON + k * DAY + timedelta(hours=1)):
                assert write(conn, make_bars(closes), seen_at=again) == BarChanges(added=0, changed=0)
            assert (count_versions(conn), closes_of(conn)) == (versions, current)


@LAWS
@given(data=st.data(), length=st.integers(1, 30))
def test_any_split_into_batches_in_any_order_gives_the_same_bars(
    shared_store: Engine, data: st.DataObject, length: int
) -> None:
    bars = walk(length)
    batch_of = np.array(data.draw(st.lists(st.integers(0, 4), min_size=length, max_size=length)))
    with rolled_back(shared_store) as conn:
        for batch in data.draw(st.permutations(range(5))):
            write(conn, bars[batch_of == batch], seen_at=NOON + DAY * batch)
        assert_frame_equal(read_bars(conn, [SYMBOL])[SYMBOL], bars)


@LAWS
@given(loads=st.lists(SOME_LOADS, max_size=6))
def test_many_symbols_written_together_make_the_rows_that_they_make_one_by_one(
    shared_store: Engine, loads: Sequence[tuple[int, dict[str, dict[date, float]], str | None]]
) -> None:
    kept = []
    for together in (True, False):
        with rolled_back(shared_store) as conn:
            told = []
            for hours, closes, fallen in loads:
                seen_at = NOON + hours * DAY / 4
                told.append(changes(conn, closes, seen_at, together=together))
                if fallen is not None:
                    withdraw_bars(conn, fallen, dict.fromkeys(SESSIONS[-2:], "misscaled"), seen_at=seen_at)
            kept.append((told, conn.execute(select(bar_table).order_by(*bar_table.primary_key.columns)).all()))
    assert kept[0] == kept[1]


def changes(
    conn: Connection, closes: dict[str, dict[date, float]], seen_at: datetime, *, together: bool
) -> tuple[int, int]:
    bars = {symbol: make_bars(one) for symbol, one in closes.items()}
    if together:
        done = [write_all_bars(conn, bars, seen_at=seen_at, provider="test")]
    else:
        done = [write(conn, frame, seen_at=seen_at, symbol=symbol) for symbol, frame in bars.items()]
    return sum(one.added for one in done), sum(one.changed for one in done)


@LAWS
@given(loads=st.lists(SOME_CLOSES, max_size=6), hours=st.integers(-24, 24 * 7))
def test_a_read_gives_the_newest_bar_seen_by_then_and_no_later_one(
    shared_store: Engine, loads: Sequence[dict[date, float]], hours: int
) -> None:
    known_at = NOON + timedelta(hours=hours)
    expected: dict[date, float] = {}
    with rolled_back(shared_store) as conn:
        for k, closes in enumerate(loads):
            write(conn, make_bars(closes), seen_at=NOON + k * DAY)
            if NOON + k * DAY <= known_at:
                expected |= closes
        assert closes_of(conn, known_at=known_at) == expected


@LAWS
@given(order=st.permutations(range(6)), hours=st.integers(-24, 24 * 7))
def test_differing_versions_written_in_any_order_make_the_same_history(
    shared_store: Engine, order: Sequence[int], hours: int
) -> None:
    known_at = NOON + timedelta(hours=hours)
    with rolled_back(shared_store) as conn:
        for k in order:
            write(conn, make_bars({SESSIONS[k % 2]: 100.0 + k}), seen_at=NOON + k * DAY)
        known = {SESSIONS[k % 2]: 100.0 + k for k in range(6) if NOON + k * DAY <= known_at}
        assert closes_of(conn, known_at=known_at) == known
        assert closes_of(conn) == {SESSIONS[0]: 104.0, SESSIONS[1]: 105.0}


def refused_rows(conn: Connection) -> list[tuple[object, ...]]:
    table = quarantine.c
    return [tuple(row) for row in conn.execute(select(table.session, table.reason, table.payload).order_by(table.id))]


def test_a_refusal_is_kept_once_as_first_seen(conn: Connection) -> None:
    raw = walk(3)
    raw.loc[raw.index[1], "close"] = np.inf
    raw.loc[raw.index[2], "volume"] = np.nan
    refused = sift_bars(raw, Series(SYMBOL, complete=True, sessions=None), rules=BarRules()).refused
    assert write_quarantine(conn, SYMBOL, refused, seen_at=NOON) == 2
    assert write_quarantine(conn, SYMBOL, refused, seen_at=NOON + DAY) == 0
    assert write_quarantine(conn, "TCS.NS", refused, seen_at=NOON + DAY) == 2
    assert set(conn.scalars(select(quarantine.c.seen_at).where(quarantine.c.symbol == SYMBOL))) == {NOON}


def test_a_refusal_keeps_what_is_wrong_about_the_bar(conn: Connection) -> None:
    values = dict(zip(BAR_COLUMNS, (np.nan, np.inf, -np.inf, -1.0, 0.0, 5.0), strict=True))
    refused = pd.DataFrame([{"session": pd.NaT, "reason": Refusal.NO_DATE} | values])
    write_quarantine(conn, SYMBOL, refused, seen_at=NOON)
    payload = {"open": None, "high": "inf", "low": "-inf", "close": -1.0, "adj_close": 0.0, "volume": 5.0}
    assert refused_rows(conn) == [(None, "no_date", payload)]


def test_other_values_or_another_reason_are_another_refusal(conn: Connection) -> None:
    bar = {"session": pd.Timestamp("2021-10-01"), "reason": Refusal.RANGE} | dict.fromkeys(BAR_COLUMNS, 1.0)
    variants = [bar, bar, bar | {"close": 2.0}, bar | {"reason": Refusal.MOVE_LIMIT}, bar | {"session": pd.NaT}]
    assert write_quarantine(conn, SYMBOL, pd.DataFrame(variants), seen_at=NOON) == 4
    assert write_quarantine(conn, SYMBOL, pd.DataFrame(variants), seen_at=NOON) == 0


def test_nothing_refused_keeps_nothing(conn: Connection) -> None:
    refused = sift_bars(walk(3), Series(SYMBOL, complete=True, sessions=None), rules=BarRules()).refused
    assert write_quarantine(conn, SYMBOL, refused, seen_at=NOON) == 0


def test_real_bars_come_back_as_they_were_written(conn: Connection, market_folder: Path) -> None:
    for name, complete in (("RELIANCE.NS", True), ("^INDIAVIX", False), ("^N225", False)):
        raw = pd.read_csv(market_folder / f"{name}.csv", index_col="Date", parse_dates=True)
        raw.columns = raw.columns.str.lower().str.replace(" ", "_")
        sifted = sift_bars(raw, Series(name, complete, sessions=None), rules=BarRules())
        assert write(conn, sifted.kept, symbol=name).added == len(sifted.kept)
        assert_frame_equal(read_bars(conn, [name])[name], sifted.kept)
        assert write_quarantine(conn, name, sifted.refused, seen_at=NOON) <= len(sifted.refused)
        assert write_quarantine(conn, name, sifted.refused, seen_at=NOON) == 0


def test_a_withdrawn_bar_is_known_before_and_not_from_then_on_and_its_values_stay(conn: Connection) -> None:
    bars = walk(3)
    write(conn, bars)
    first, gone, newest = pd.DatetimeIndex(bars.index).date
    assert withdraw_bars(conn, SYMBOL, {gone: "bad_tick", date(1999, 1, 1): "x"}, seen_at=NOON + DAY) == [gone]
    assert withdraw_bars(conn, SYMBOL, {gone: "bad_tick"}, seen_at=NOON + 2 * DAY) == []
    assert list(closes_of(conn)) == [first, newest]
    assert list(closes_of(conn, known_at=NOON + DAY - timedelta(seconds=1))) == [first, gone, newest]
    assert read_withdrawn(conn, SYMBOL) == [Withdrawn(gone, NOON + DAY, "bad_tick")]
    assert read_withdrawn(conn, SYMBOL, known_at=NOON) == []
    kept = conn.execute(select(bar_table.c.close).where(bar_table.c.session == gone)).scalars().all()
    assert kept == [bars["close"].iloc[1]] * 2


def test_a_withdrawn_bar_comes_back_as_another_version(conn: Connection) -> None:
    bars = walk(2)
    write(conn, bars)
    gone = pd.DatetimeIndex(bars.index)[1].date()
    withdraw_bars(conn, SYMBOL, {gone: "bad_tick"}, seen_at=NOON + DAY)
    assert newest_sessions(conn) == {SYMBOL: bars.index[0]}
    assert write(conn, bars, seen_at=NOON + 2 * DAY) == BarChanges(added=0, changed=1)
    assert_frame_equal(read_bars(conn, [SYMBOL])[SYMBOL], bars)
    assert gone not in closes_of(conn, known_at=NOON + DAY)
    assert read_withdrawn(conn, SYMBOL) == []


def test_a_symbol_whose_bars_were_all_withdrawn_has_no_newest_one(conn: Connection) -> None:
    bars = walk(2)
    write(conn, bars)
    withdraw_bars(conn, SYMBOL, dict.fromkeys(pd.DatetimeIndex(bars.index).date, "x"), seen_at=NOON + DAY)
    assert newest_sessions(conn) == {}
