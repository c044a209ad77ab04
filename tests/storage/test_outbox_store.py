from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine, func, select

from storage.engine import reading, transaction
from storage.outbox_store import (
    KEPT_AFTER,
    LONGEST_WAIT,
    MOST_WAITING,
    Notice,
    add_notice,
    count_waiting,
    drop,
    due_parcels,
    mark_sent,
    put_off,
)
from storage.outbox_table import outbox

NOW = datetime(2021, 10, 1, 3, 15, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def notice(number: int) -> Notice:
    return Notice(f"signal:{number:04d}", "signal", "title", "body")


def due(store: Engine, now: datetime = NOW) -> list[tuple[str, str]]:
    with reading(store) as conn:
        return [(parcel.notice.key, parcel.channel) for parcel in due_parcels(conn, now=now)]


def test_the_same_notice_is_kept_once_a_channel_also_after_it_was_sent(store: Engine) -> None:
    with transaction(store) as conn:
        add_notice(conn, ["a"], notice(1), at=NOW)
        add_notice(conn, ["a", "b", "b"], notice(1), at=NOW + MINUTE)
        for parcel in due_parcels(conn, now=NOW + MINUTE):
            mark_sent(conn, parcel, at=NOW)
        add_notice(conn, ["a", "b"], notice(1), at=NOW + MINUTE)
        assert count_waiting(conn) == 0
    assert due(store) == []


def test_each_channel_gets_its_notices_in_their_order(store: Engine) -> None:
    with transaction(store) as conn:
        for number in (2, 1, 3):
            add_notice(conn, ["a", "b"], notice(number), at=NOW + number * MINUTE)
    later = NOW + 5 * MINUTE
    assert due(store, later) == [("signal:0001", "a"), ("signal:0001", "b")]
    with transaction(store) as conn:
        mark_sent(conn, due_parcels(conn, now=later)[0], at=later)
    assert due(store, later) == [("signal:0001", "b"), ("signal:0002", "a")]


def test_a_dead_channel_waits_with_all_that_is_behind_and_the_other_does_not(store: Engine) -> None:
    with transaction(store) as conn:
        for number in (1, 2):
            add_notice(conn, ["a", "b"], notice(number), at=NOW)
        first, _ = due_parcels(conn, now=NOW)
        put_off(conn, first, until=NOW + MINUTE)
    assert due(store) == [("signal:0001", "b")]
    assert due(store, NOW + MINUTE) == [("signal:0001", "a"), ("signal:0001", "b")]
    with reading(store) as conn:
        assert [parcel.attempts for parcel in due_parcels(conn, now=NOW + MINUTE)] == [1, 0]


def test_what_a_clock_that_was_wrong_put_off_is_due_once_that_is_right_again(store: Engine) -> None:
    with transaction(store) as conn:
        add_notice(conn, ["a"], notice(1), at=NOW)
        (parcel,) = due_parcels(conn, now=NOW)
        put_off(conn, parcel, until=NOW + timedelta(days=3) + MINUTE)
    assert due(store, NOW + timedelta(hours=1)) == [("signal:0001", "a")]
    with transaction(store) as conn:
        put_off(conn, parcel, until=NOW + LONGEST_WAIT)
    assert due(store) == [], "the longest wait is one"


def test_what_is_rolled_back_tells_nobody(store: Engine) -> None:
    try:
        with transaction(store) as conn:
            add_notice(conn, ["a"], notice(1), at=NOW)
            raise RuntimeError("the work failed")
    except RuntimeError:
        pass
    assert due(store) == []


def test_it_never_grows_beyond_its_bound_and_the_oldest_make_room(store: Engine) -> None:
    with transaction(store) as conn:
        for number in range(MOST_WAITING + 2):
            add_notice(conn, ["a"], notice(number), at=NOW + number * MINUTE)
        assert count_waiting(conn) == MOST_WAITING
        (oldest,) = due_parcels(conn, now=NOW + timedelta(days=9))
        assert oldest.notice.key == "signal:0002"
        drop(conn, oldest)
        assert count_waiting(conn) == MOST_WAITING - 1


def test_sent_ones_go_in_time(store: Engine) -> None:
    with transaction(store) as conn:
        add_notice(conn, ["a"], notice(1), at=NOW)
        (parcel,) = due_parcels(conn, now=NOW)
        mark_sent(conn, parcel, at=NOW)
        add_notice(conn, ["a"], notice(2), at=NOW + KEPT_AFTER)
        assert conn.scalar(select(func.count()).select_from(outbox)) == 2
        add_notice(conn, ["a"], notice(3), at=NOW + KEPT_AFTER + MINUTE)
        assert set(conn.scalars(select(outbox.c.key))) == {"signal:0002", "signal:0003"}
