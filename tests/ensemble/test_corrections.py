from dataclasses import replace
from datetime import date, time

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ensemble.corrections import COLUMNS, Correction, corrections_of, parse_corrections
from ensemble.features.matrix import build_panel
from ensemble.sessions import available_at, holidays_known_until, load_calendar
from tests.ensemble.conftest import MakeMarket

HEAD = ",".join(COLUMNS)


def rows(*lines: str) -> tuple[Correction, ...]:
    return parse_corrections([HEAD, *lines])


def test_a_row_is_read_with_its_hours_and_its_reason() -> None:
    assert rows("2026-11-08,extra,18:00,19:00,Muhurat") == (
        Correction(date(2026, 11, 8), "extra", time(18, 0), time(19, 0), "Muhurat"),
    )


def test_rows_may_stand_in_any_order() -> None:
    assert [row.date.day for row in rows("2027-03-22,closed,,,", "2027-01-26,closed,,,")] == [26, 22]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("2026-11-08,extra,18:00", "has not 5 fields"),
        ("2026-11-08,extra,18:00,19:00,Diwali, evening", "has not 5 fields"),
        ("2026-11-08,close,,,", 'had kind "close"; did you mean "closed"?'),
        ("2026-11-08,,,,", 'had kind ""; it must be one of extra, closed, hours, until'),
        ("08/11/2026,extra,,,", 'had date "08/11/2026"; it must be one such as 2026-11-08'),
        ("2026-02-30,closed,,,", 'had date "2026-02-30"'),
        ("2026-11-08,extra,6pm,7pm,", 'had opens "6pm"; it must be a whole minute there, such as 18:15'),
        ("2026-11-08,extra,18:00:30,19:00,", 'had opens "18:00:30"'),
        ("2026-11-08,extra,18:00+05:30,19:00,", 'had opens "18:00+05:30"'),
        ("2026-11-08,extra,18:00,18:00,", "opens and closes at 18:00; these must differ"),
        ("2026-11-08,hours,09:15,,", 'had kind "hours" without opens and closes'),
        ("2026-11-09,closed,09:15,10:00,", 'had kind "closed" with hours'),
        ("2026-12-31,until,,15:30,", 'had kind "until" with hours'),
        ("2026-01-26,extra,,,", "names 2026-01-26 again; a date can be one thing only"),
    ],
)
def test_a_row_that_cannot_be_is_told_with_its_line_in_one_line(line: str, told: str) -> None:
    with pytest.raises(ValueError, match=r"^line 3 ") as caught:
        rows("2026-01-26,closed,,,", line)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_without_its_columns_is_told() -> None:
    with pytest.raises(ValueError, match="it has no column kind; its first line must be date,kind,opens"):
        parse_corrections(["date,opens,closes,reason"])


@given(text=st.text(st.sampled_from("date,kind\n0123456789-:exrclohus\"'é\0 "), max_size=80))
def test_whatever_stands_in_a_file_gives_rows_or_one_line(text: str) -> None:
    assert "\n" not in verdict(text)


def verdict(text: str) -> str:
    try:
        read = parse_corrections([HEAD, *text.splitlines()])
    except ValueError as error:
        return str(error)
    return "sorted" if list(read) == sorted(read, key=lambda row: row.date) else "not\nsorted"


def test_a_day_can_change_its_hours_and_be_special_at_once() -> None:
    own = rows("2027-05-03,hours,09:00,17:00,longer days", "2027-05-03,extra,10:00,12:00,the first of them")
    calendar = load_calendar("XNSE", first=date(2027, 5, 3), last=date(2027, 5, 4), own=own)
    local = calendar.closes.tz_convert("Asia/Kolkata")
    assert [f"{close:%d %H:%M}" for close in local] == ["03 12:00", "04 17:00"]


def test_one_s_own_row_goes_before_the_one_that_comes_along() -> None:
    own = rows("2026-02-01,closed,,,no Sunday after all", "2026-11-08,extra,18:00,19:00,Muhurat")
    calendar = load_calendar("XNSE", first=date(2026, 1, 1), last=date(2026, 12, 31), own=own)
    assert pd.Timestamp("2026-02-01") not in calendar.sessions
    evening = calendar.opens[calendar.position(date(2026, 11, 8))]
    assert evening == pd.Timestamp("2026-11-08 18:00", tz="Asia/Kolkata")
    assert len(corrections_of("XNSE", own)) == len(corrections_of("XNSE"))


def test_one_s_own_hours_go_before_the_library_s() -> None:
    day = date(2018, 7, 3)
    early = load_calendar("XNYS", first=day, last=day)
    own = rows("2018-07-03,extra,10:00,12:00,shorter still")
    told = load_calendar("XNYS", first=day, last=day, own=own)
    assert early.closes[0] == pd.Timestamp("2018-07-03 13:00", tz="America/New_York")
    assert told.closes[0] == pd.Timestamp("2018-07-03 12:00", tz="America/New_York")
    assert told.opens[0] == pd.Timestamp("2018-07-03 10:00", tz="America/New_York")


def test_a_holiday_of_the_library_becomes_a_session_by_an_own_row_and_a_session_a_holiday() -> None:
    own = rows("2020-12-25,extra,,,", "2020-12-24,closed,,,")
    calendar = load_calendar("XNYS", first=date(2020, 12, 23), last=date(2020, 12, 28), own=own)
    assert [day.day for day in calendar.sessions] == [23, 25, 28]


def test_a_bar_is_known_after_the_close_that_an_own_row_gives() -> None:
    own = rows("2027-10-29,extra,18:15,19:15,Muhurat", "2027-11-01,hours,09:15,17:00,")
    known = available_at(pd.DatetimeIndex(["2027-10-28", "2027-10-29", "2027-11-02"]), "XNSE", delay_min=60, own=own)
    local = known.tz_convert("Asia/Kolkata")
    assert [f"{instant:%d %H:%M}" for instant in local] == ["28 16:35", "29 20:15", "02 18:00"]


def test_until_moves_the_end_of_the_known_holidays_and_never_back() -> None:
    shipped = holidays_known_until("XNSE")
    assert shipped is not None
    assert (shipped.month, shipped.day) == (12, 31)
    later = shipped.replace(year=shipped.year + 1)
    assert holidays_known_until("XNSE", rows(f"{later},until,,,circular")) == later
    assert holidays_known_until("XNSE", rows("2020-12-31,until,,,old")) == shipped


@pytest.mark.parametrize("exchange", ["XNYS", "FOREX", "ALWAYS"])
def test_where_rules_go_on_for_ever_the_holidays_have_no_end(exchange: str) -> None:
    assert holidays_known_until(exchange) is None


def test_what_never_closes_has_a_session_every_day_from_midnight_to_midnight() -> None:
    calendar = load_calendar("ALWAYS", first=date(2024, 2, 24), last=date(2024, 3, 2))
    assert len(calendar.sessions) == 8
    assert calendar.opens[0] == pd.Timestamp("2024-02-24T00:00Z")
    assert calendar.closes[0] == pd.Timestamp("2024-02-25T00:00Z")
    known = available_at(calendar.sessions[:1], "ALWAYS", delay_min=60)
    assert known[0] == pd.Timestamp("2024-02-25T01:00Z")


def test_features_follow_the_hours_of_an_own_row(make_market: MakeMarket) -> None:
    market = make_market()
    late = rows("2015-01-01,hours,09:30,23:00,New York trades into the night")
    before, after = build_panel(market), build_panel(replace(market, corrections={"XNYS": late}))
    place = before.features.index("ETF close_to_close")
    # Last night's bar is not known at the decision any more: the one before it speaks.
    assert before.values[0, -1, place] != after.values[0, -1, place]
    assert before.values[0, -2, place] == after.values[0, -1, place]
