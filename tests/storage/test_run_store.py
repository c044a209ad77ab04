from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from sqlalchemy import Connection

from storage.run_store import (
    Run,
    RunStatus,
    done_runs,
    finish_run,
    newest_done,
    read_runs,
    start_run,
    unsettled_sessions,
    write_runs,
)

FRIDAY, MONDAY = date(2021, 10, 1), date(2021, 10, 4)
MORNING = datetime(2021, 10, 1, 3, 15, tzinfo=UTC)
DONE = Run("live", "decide", FRIDAY, RunStatus.DONE, MORNING, MORNING + timedelta(minutes=1), "4 forecasts")


def test_a_run_is_running_then_done(conn: Connection) -> None:
    run = start_run(conn, "live", "decide", FRIDAY, at=MORNING)
    assert read_runs(conn, "live") == [run] == [Run("live", "decide", FRIDAY, RunStatus.RUNNING, MORNING)]
    assert done_runs(conn, "live", "decide") == set()
    ended = finish_run(conn, run, at=MORNING + timedelta(minutes=1), detail="4 forecasts")
    assert read_runs(conn, "live") == [ended] == [DONE]
    assert done_runs(conn, "live", "decide") == {FRIDAY}


def test_a_failed_run_is_still_due_and_its_repetition_replaces_it(conn: Connection) -> None:
    run = start_run(conn, "live", "ingest", FRIDAY, at=MORNING)
    finish_run(conn, run, at=MORNING, status=RunStatus.FAILED, detail="feed down")
    assert done_runs(conn, "live", "ingest") == set()
    again = start_run(conn, "live", "ingest", FRIDAY, at=MORNING + timedelta(hours=1))
    finish_run(conn, again, at=MORNING + timedelta(hours=1))
    (kept,) = read_runs(conn, "live")
    assert (kept.status, kept.detail) == (RunStatus.DONE, "")
    assert isinstance(kept.status, RunStatus)


def test_done_runs_are_those_of_their_origin_and_kind(conn: Connection) -> None:
    write_runs(conn, [DONE, replace(DONE, session=MONDAY), replace(DONE, kind="settle")])
    write_runs(conn, [replace(DONE, origin="backtest", session=MONDAY)])
    write_runs(conn, [])
    assert done_runs(conn, "live", "decide") == {FRIDAY, MONDAY}
    assert done_runs(conn, "live", "settle") == {FRIDAY}
    assert done_runs(conn, "backtest", "decide") == {MONDAY}


def test_what_waits_to_be_settled_is_decided_and_newer_than_the_newest_settled(conn: Connection) -> None:
    tuesday = date(2021, 10, 5)
    write_runs(conn, [replace(DONE, session=session) for session in (tuesday, MONDAY, FRIDAY)])
    assert unsettled_sessions(conn, "live") == [FRIDAY, MONDAY, tuesday]
    write_runs(conn, [replace(DONE, kind="settle", session=FRIDAY, status=RunStatus.FAILED)])
    write_runs(conn, [replace(DONE, kind="settle", origin="backtest", session=tuesday)])
    assert unsettled_sessions(conn, "live") == [FRIDAY, MONDAY, tuesday]
    write_runs(conn, [replace(DONE, kind="settle", session=MONDAY, status=RunStatus.NO_DATA)])
    assert unsettled_sessions(conn, "live") == [tuesday], "that of Friday has left the calendar"


def test_runs_are_read_newest_session_first(conn: Connection) -> None:
    write_runs(conn, [DONE, replace(DONE, kind="settle"), replace(DONE, session=MONDAY)])
    assert [(run.session, run.kind) for run in read_runs(conn, "live")] == [
        (MONDAY, "decide"),
        (FRIDAY, "decide"),
        (FRIDAY, "settle"),
    ]
    assert [run.session for run in read_runs(conn, "live", kind="decide", newest=1)] == [MONDAY]


def test_the_newest_done_run_is_the_last_of_its_origin_and_kind_that_is_closed(conn: Connection) -> None:
    assert newest_done(conn, "live", "settle") is None
    closed = replace(DONE, kind="settle", status=RunStatus.NO_DATA)
    write_runs(conn, [closed, replace(closed, session=MONDAY, status=RunStatus.FAILED)])
    write_runs(conn, [replace(DONE, session=MONDAY), replace(closed, origin="backtest", session=MONDAY)])
    assert newest_done(conn, "live", "settle") == FRIDAY
    assert newest_done(conn, "live", "decide") == MONDAY
