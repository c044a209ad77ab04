"""Holidays, special Saturdays, a Budget Sunday and Muhurat evenings have a decision and a settlement of their own."""

from datetime import date, time, timedelta

import pandas as pd
import pytest

from daemon.sessions.due import Timetable
from ensemble.sessions import load_calendar


@pytest.mark.parametrize(
    ("what", "day", "wakes"),
    [
        ("holiday: Republic Day", "2024-01-26", []),
        ("special Saturday", "2024-03-02", ["decide 08:45", "settle 13:30"]),
        ("ordinary Saturday", "2024-03-09", []),
        ("Budget Saturday", "2025-02-01", ["decide 08:45", "settle 16:30"]),
        ("Budget Sunday", "2026-02-01", ["decide 08:45", "settle 16:30"]),
        ("Muhurat evening", "2021-11-04", ["decide 08:45", "settle 20:15"]),
        ("Muhurat on a Sunday", "2023-11-12", ["decide 08:45", "settle 20:15"]),
        ("the holiday after it", "2021-11-05", []),
    ],
)
def test_a_day_wakes_it_exactly_when_there_is_something_to_do(what: str, day: str, wakes: list[str]) -> None:
    on = date.fromisoformat(day)
    calendar = load_calendar("XNSE", first=on - timedelta(days=40), last=on + timedelta(days=10))
    table = Timetable(calendar, time(8, 45), delay_min=60)
    before = [session.date() for session in calendar.sessions if session.date() < on]
    midnight = pd.Timestamp(day, tz="Asia/Kolkata") + pd.Timedelta(days=1)
    due = table.due(midnight.tz_convert("UTC"), decided=before, settled=before)
    found = [f"{task.kind} {task.due_at.tz_convert('Asia/Kolkata'):%H:%M}" for task in due]
    assert found == wakes, what
