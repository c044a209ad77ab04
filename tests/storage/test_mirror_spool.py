"""One order waits at most, whatever happens meanwhile, and it is no message."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, func, select

from storage.mirror_spool import (
    MirrorState,
    due_order,
    mark_pushed,
    note_pushed,
    order_push,
    ordered_last,
    put_push_off,
    read_mirror,
)
from storage.outbox_store import KEPT_AFTER, Notice, add_notice, count_waiting, due_parcels
from storage.outbox_table import outbox

NOW = datetime(2021, 10, 5, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def rows(conn: Connection) -> int:
    return conn.scalar(select(func.count()).select_from(outbox)) or 0


def fail(conn: Connection, at: datetime) -> None:
    order = due_order(conn, now=at)
    assert order is not None
    put_push_off(conn, order, why="away", until=at + HOUR)


def test_what_is_ordered_is_due_until_it_is_there_and_not_ordered_again(conn: Connection) -> None:
    assert read_mirror(conn) == MirrorState()
    assert ordered_last(conn) is None
    order_push(conn, "A", at=NOW)
    order = due_order(conn, now=NOW)
    assert order is not None
    assert order.notice.key == "A" == ordered_last(conn)
    mark_pushed(conn, "A", at=NOW + HOUR)
    order_push(conn, "A", at=NOW + 2 * HOUR)
    assert due_order(conn, now=NOW + 9 * HOUR) is None
    assert read_mirror(conn) == MirrorState(mirrored_at=NOW + HOUR, what="A")


def test_a_later_order_takes_the_place_and_the_patience_of_one_that_waits(conn: Connection) -> None:
    note_pushed(conn, "A", at=NOW)
    order_push(conn, "B", at=NOW)
    fail(conn, NOW)
    for number in range(50):
        order_push(conn, f"C{number}", at=NOW + number * timedelta(seconds=1))
    assert rows(conn) == 2
    assert due_order(conn, now=NOW + timedelta(minutes=59)) is None
    assert read_mirror(conn) == MirrorState(NOW, "A", waiting_since=NOW, attempts=1, why="away")
    order = due_order(conn, now=NOW + HOUR)
    assert order is not None
    assert (order.notice.key, order.attempts) == ("C49", 1)


def test_an_order_that_was_replaced_while_it_was_carried_out_leaves_the_new_one_waiting(conn: Connection) -> None:
    order_push(conn, "A", at=NOW)
    order_push(conn, "B", at=NOW)
    mark_pushed(conn, "A", at=NOW)
    assert read_mirror(conn).waiting_since == NOW
    mark_pushed(conn, "B", at=NOW + HOUR)
    assert read_mirror(conn) == MirrorState(NOW + HOUR, "B")


def test_going_back_to_an_earlier_version_is_ordered_like_a_new_one(conn: Connection) -> None:
    for number, key in enumerate(["A", "B", "A"]):
        order_push(conn, key, at=NOW + number * HOUR)
        assert due_order(conn, now=NOW + number * HOUR) is not None
        mark_pushed(conn, key, at=NOW + number * HOUR)
    assert rows(conn) == 1


def test_a_clock_that_was_put_back_changes_nothing(conn: Connection) -> None:
    note_pushed(conn, "A", at=NOW)
    order_push(conn, "B", at=NOW - 24 * HOUR)
    order_push(conn, "B", at=NOW - 23 * HOUR)
    assert ordered_last(conn) == "B"
    assert due_order(conn, now=NOW - 24 * HOUR) is not None


def test_an_order_that_a_clock_that_was_wrong_put_off_is_due_once_that_is_right_again(conn: Connection) -> None:
    order_push(conn, "A", at=NOW)
    fail(conn, NOW + 72 * HOUR)
    assert due_order(conn, now=NOW + HOUR) is not None
    fail(conn, NOW + HOUR)
    assert due_order(conn, now=NOW + HOUR) is None


def test_messages_and_orders_take_no_notice_of_each_other(conn: Connection) -> None:
    order_push(conn, "A", at=NOW)
    assert (count_waiting(conn), due_parcels(conn, now=NOW)) == (0, [])
    mark_pushed(conn, "A", at=NOW)
    add_notice(conn, ["ping"], Notice("ping:1", "ping", "", ""), at=NOW + 2 * KEPT_AFTER)
    assert read_mirror(conn).what == "A"  # it stays however old it is
    assert count_waiting(conn) == 1
    assert ordered_last(conn) == "A"


def test_what_was_brought_by_hand_is_no_longer_waited_for(conn: Connection) -> None:
    order_push(conn, "A", at=NOW)
    fail(conn, NOW)
    note_pushed(conn, "A", at=NOW + HOUR)
    assert read_mirror(conn) == MirrorState(NOW + HOUR, "A")
    note_pushed(conn, "", at=NOW + HOUR)
    assert rows(conn) == 1
