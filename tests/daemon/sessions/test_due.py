"""What is due follows from the calendar and the ledger, and from nothing else."""

from datetime import date, time

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.sessions.due import Task, Timetable
from ensemble.sessions import available_at, load_calendar

CALENDAR = load_calendar("XNSE", first=date(2021, 9, 1), last=date(2021, 11, 30))
DAYS = [day.date() for day in CALENDAR.sessions]
TABLE = Timetable(CALENDAR, time(8, 45), delay_min=60)


def ist(text: str) -> pd.Timestamp:
    return pd.Timestamp(text, tz="Asia/Kolkata").tz_convert("UTC")


def names(tasks: list[Task]) -> list[str]:
    return [f"{task.kind} {task.session:%m-%d}" for task in tasks]


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        ("2021-10-01 08:44", "09-30"),
        ("2021-10-01 08:45", "10-01"),
        ("2021-10-03 12:00", "10-01"),  # Sunday
    ],
)
def test_a_fresh_ledger_begins_with_the_newest_session_whose_decision_time_has_come(now: str, expected: str) -> None:
    tasks = TABLE.due(ist(now), decided=[], settled=[])
    assert names(tasks)[0] == f"decide {expected}"
    assert {f"{task.session:%m-%d}" for task in tasks} == {expected}


def test_nothing_is_due_twice() -> None:
    done = [date(2021, 10, 1)]
    assert TABLE.due(ist("2021-10-01 08:50"), decided=done, settled=[]) == []
    assert names(TABLE.due(ist("2021-10-01 16:30"), decided=done, settled=[])) == ["settle 10-01"]
    assert TABLE.due(ist("2021-10-01 16:30"), decided=done, settled=done) == []


def test_sessions_missed_while_away_are_made_up_in_order() -> None:
    tasks = TABLE.due(ist("2021-10-06 08:50"), decided=[date(2021, 10, 1)], settled=[])
    assert names(tasks) == [
        *("settle 10-01", "decide 10-04", "settle 10-04", "decide 10-05", "settle 10-05", "decide 10-06")
    ]


def test_a_session_that_closes_early_is_settled_when_its_bar_counts_as_known() -> None:
    york = load_calendar("XNYS", first=date(2021, 11, 1), last=date(2021, 11, 30))
    table = Timetable(york, time(9, 0), delay_min=60)
    friday = date(2021, 11, 26)  # closes at 13:00
    (task,) = table.due(pd.Timestamp("2021-11-27", tz="UTC"), decided=[friday], settled=[])
    assert task.due_at == available_at(pd.DatetimeIndex([task.session]), "XNYS", delay_min=60)[0]


def test_a_session_older_than_the_newest_done_is_history_for_what_that_was_and_no_more() -> None:
    decided, settled = [date(2021, 10, 1), date(2021, 10, 5)], [date(2021, 10, 1)]
    assert names(TABLE.due(ist("2021-10-05 08:50"), decided=decided, settled=settled)) == ["settle 10-04"]
    settled.append(date(2021, 10, 5))
    assert TABLE.due(ist("2021-10-05 18:00"), decided=decided, settled=settled) == []
    assert names(TABLE.due(ist("2021-10-06 08:50"), decided=decided, settled=settled)) == ["decide 10-06"]


def test_passed_over_are_the_sessions_that_lie_between_settled_ones_and_are_not() -> None:
    decided = [date(2021, 10, 1), date(2021, 10, 5), date(2021, 10, 6)]
    found = TABLE.passed_over(decided=decided, settled=[date(2021, 10, 1), date(2021, 10, 5)])
    assert list(found) == [pd.Timestamp("2021-10-04")]
    assert not len(TABLE.passed_over(decided=decided, settled=[]))
    assert not len(TABLE.passed_over(decided=[], settled=[]))


@given(st.datetimes(min_value=pd.Timestamp("2021-09-05"), max_value=pd.Timestamp("2021-11-20")))
def test_doing_what_is_due_leaves_nothing_due_until_the_next_wake(moment: pd.Timestamp) -> None:
    now = pd.Timestamp(moment, tz="UTC")
    decided, settled = [date(2021, 9, 1)], [date(2021, 9, 1)]
    tasks = TABLE.due(now, decided=decided, settled=settled)
    decided += [task.session.date() for task in tasks if task.kind == "decide"]
    settled += [task.session.date() for task in tasks if task.kind == "settle"]
    wake = TABLE.next_wake(now)
    assert TABLE.due(now, decided=decided, settled=settled) == []
    assert TABLE.due(wake - pd.Timedelta("1us"), decided=decided, settled=settled) == []
    assert len(TABLE.due(wake, decided=decided, settled=settled)) == 1


@given(
    st.datetimes(min_value=pd.Timestamp("2021-09-05"), max_value=pd.Timestamp("2021-11-20")),
    st.sets(st.sampled_from(DAYS)),
    st.sets(st.sampled_from(DAYS)),
)
def test_due_is_whatever_of_the_calendar_is_newer_than_what_the_ledger_has_done(
    moment: pd.Timestamp, decided: set[date], settled: set[date]
) -> None:
    now = pd.Timestamp(moment, tz="UTC")
    decisions = dict(zip(DAYS, CALENDAR.decisions(TABLE.decision_time), strict=True))
    known = dict(zip(DAYS, CALENDAR.known_at(CALENDAR.sessions, delay_min=TABLE.delay_min), strict=True))
    past = [day for day in DAYS if decisions[day] <= now]
    begun = [day for day in past if day >= min(decided, default=past[-1])]
    expected = {("decide", day, decisions[day]) for day in begun if all(day > done for done in decided)}
    due = [day for day in begun if known[day] <= now]
    expected |= {("settle", day, known[day]) for day in due if all(day > done for done in settled)}
    tasks = TABLE.due(now, decided=decided, settled=settled)
    assert {(task.kind, task.session.date(), task.due_at) for task in tasks} == expected
    assert [task.due_at for task in tasks] == sorted(task.due_at for task in tasks)
    assert len(tasks) == len(expected)
