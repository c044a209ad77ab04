import csv
import subprocess
import sys
from collections import Counter
from datetime import date, datetime, time, timedelta
from importlib.resources import files
from pathlib import Path
from zoneinfo import ZoneInfo

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ensemble.sessions import (
    EXCHANGES,
    CalendarError,
    SessionCalendar,
    available_at,
    load_calendar,
    trading_hours,
)

KOLKATA = ZoneInfo("Asia/Kolkata")
NEW_YORK = ZoneInfo("America/New_York")


@pytest.fixture(scope="module")
def nse() -> SessionCalendar:
    return load_calendar("XNSE", first=date(2000, 1, 1), last=date(2026, 12, 31))


@pytest.fixture(scope="module")
def new_york() -> SessionCalendar:
    return load_calendar("XNYS", first=date(2000, 1, 1), last=date(2026, 12, 31))


@pytest.mark.parametrize(
    ("first", "last", "count"),
    [
        (date(2006, 1, 1), date(2015, 12, 31), 2480),
        (date(2006, 1, 2), date(2024, 7, 5), 4588),
        (date(2010, 1, 4), date(2026, 9, 1), 4135),
        (date(2011, 6, 22), date(2019, 9, 30), 2048),
        (date(2019, 10, 1), date(2026, 9, 1), 1718),
        (date(2024, 7, 8), date(2026, 9, 1), 535),
    ],
)
def test_the_nse_has_as_many_sessions_as_its_archive_has_price_files(
    nse: SessionCalendar, first: date, last: date, count: int
) -> None:
    # The counts come from a public audit of NSE's bhavcopy archive (2026), one file a session.
    assert len(nse.between(first, last)) == count


def test_every_weekend_session_of_the_nse_is_known(nse: SessionCalendar) -> None:
    weekend = nse.sessions[nse.sessions.day_of_week >= 5]
    # fmt: off
    assert [f"{day:%Y-%m-%d}" for day in weekend] == [
        "2006-04-29", "2006-06-25", "2006-10-21", "2009-10-17", "2010-02-06", "2012-01-07",
        "2012-03-03", "2012-04-28", "2012-09-08", "2013-05-11", "2013-11-03", "2014-03-22",
        "2015-02-28", "2016-10-30", "2019-10-27", "2020-02-01", "2020-11-14", "2023-11-12",
        "2024-01-20", "2024-03-02", "2024-05-18", "2025-02-01", "2026-02-01", "2026-11-08",
    ]
    # fmt: on


def test_the_nse_of_2012_to_2021_is_the_days_of_its_volatility_index(nse: SessionCalendar, market_folder: Path) -> None:
    index = pd.read_csv(market_folder / "^INDIAVIX.csv", usecols=["Date"], parse_dates=["Date"])["Date"]
    sessions = nse.between(date(2012, 1, 1), date(2021, 12, 31))
    assert set(sessions) - set(index) == set()
    assert set(index) - set(sessions) == set()


def test_every_day_on_which_real_stocks_traded_is_a_session(nse: SessionCalendar, market_folder: Path) -> None:
    traded: Counter[pd.Timestamp] = Counter()
    for path in market_folder.glob("*.NS.csv"):
        bars = pd.read_csv(path, parse_dates=["Date"]).query("Volume > 0 and Date >= '2000-01-01'")
        traded.update(bars["Date"])
    assert set(traded) - set(nse.sessions) == set()
    without_bars = nse.sessions[(nse.sessions <= max(traded)) & ~nse.sessions.isin(list(traded))]
    special = {row["date"] for row in corrections("XNSE") if row["kind"] == "extra"}
    # Sessions by the archive, and missing from the vendor's file of every stock.
    forgotten = {"2009-01-01", "2012-10-26", "2019-02-13", "2019-03-29"}
    assert {f"{day:%Y-%m-%d}" for day in without_bars} - special == forgotten


def test_new_york_has_the_days_of_the_s_and_p_500(new_york: SessionCalendar, market_folder: Path) -> None:
    index = pd.read_csv(market_folder / "^GSPC.csv", usecols=["Date"], parse_dates=["Date"])["Date"]
    assert set(new_york.between(date(2000, 1, 1), date(2021, 12, 31))) == set(index[index >= "2000-01-01"])


@pytest.mark.parametrize("day", ["2001-09-11", "2004-06-11", "2012-10-29", "2018-12-05", "2025-01-09"])
def test_new_york_was_closed_on_days_that_no_rule_foretold(new_york: SessionCalendar, day: str) -> None:
    with pytest.raises(CalendarError, match=f"{day} is no session of XNYS"):
        new_york.position(pd.Timestamp(day))


def corrections(exchange: str) -> list[dict[str, str]]:
    with (files("ensemble") / "calendars" / f"{exchange}.csv").open(encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


def test_the_corrections_are_well_formed_sorted_and_reasoned() -> None:
    rows = corrections("XNSE")
    days = [date.fromisoformat(row["date"]) for row in rows]
    assert days == sorted(set(days))
    assert {row["kind"] for row in rows} == {"extra", "closed", "hours"}
    assert all(row["reason"] for row in rows)
    assert all(row["opens"] and row["closes"] for row in rows if row["kind"] == "hours")
    named = [(day, row["reason"]) for day, row in zip(days, rows, strict=True)]
    assert all(f"{day:%A}" in why for day, why in named if "Saturday;" in why or "Sunday;" in why)


SPECIAL = {
    # Muhurat, as the press of the day had it.
    "2011-10-26": "16:45-18:00",
    "2016-10-30": "18:30-19:30",
    "2017-10-19": "18:30-19:30",
    "2018-11-07": "17:30-18:30",
    "2019-10-27": "18:15-19:15",
    "2021-11-04": "18:15-19:15",
    "2022-10-24": "18:15-19:15",
    "2024-11-01": "18:00-19:00",
    "2025-10-21": "13:45-14:45",
    # Union Budgets on a weekend.
    "2015-02-28": "09:15-15:30",
    "2020-02-01": "09:15-15:30",
    "2025-02-01": "09:15-15:30",
    "2026-02-01": "09:15-15:30",
    # Tests of the disaster recovery site; the first of them became an ordinary day.
    "2024-01-20": "09:15-15:30",
    "2024-03-02": "09:15-12:30",
    "2024-05-18": "09:15-12:40",
}


@pytest.mark.parametrize(("day", "hours"), SPECIAL.items())
def test_special_sessions_of_the_nse_have_the_hours_that_were_announced(
    nse: SessionCalendar, day: str, hours: str
) -> None:
    assert f"{local(nse.opens, nse, day)[-5:]}-{local(nse.closes, nse, day)[-5:]}" == hours


def test_every_year_has_its_muhurat_session(nse: SessionCalendar) -> None:
    evenings = [date.fromisoformat(row["date"]) for row in corrections("XNSE") if "Muhurat" in row["reason"]]
    assert [day.year for day in evenings if day.year >= 2004] == list(range(2004, 2027))
    assert all(nse.sessions[nse.position(day)].month in (10, 11) for day in evenings if day.year >= 2000)


@pytest.mark.parametrize("day", ["2024-01-22", "2024-05-20", "2024-11-20", "2026-01-15"])
def test_holidays_declared_days_before_are_known(nse: SessionCalendar, day: str) -> None:
    with pytest.raises(CalendarError, match=f"{day} is no session of XNSE"):
        nse.position(pd.Timestamp(day))


def local(instants: pd.DatetimeIndex, calendar: SessionCalendar, day: str) -> str:
    zone = trading_hours(calendar.exchange).zone
    return f"{instants[calendar.position(pd.Timestamp(day))].tz_convert(zone):%Y-%m-%d %H:%M}"


@pytest.mark.parametrize(
    ("day", "opens", "closes"),
    [
        ("2024-01-23", "09:15", "15:30"),
        ("2024-01-20", "09:15", "15:30"),
        ("2021-11-04", "18:15", "19:15"),
        ("2025-10-21", "13:45", "14:45"),
        ("2021-02-24", "09:15", "17:00"),
        ("2005-06-01", "09:55", "15:30"),
        ("2010-06-01", "09:00", "15:30"),
        ("2009-10-17", "09:55", "20:00"),
        ("2026-07-31", "09:15", "15:30"),
        ("2026-08-03", "09:15", "15:35"),
    ],
)
def test_the_nse_keeps_the_hours_of_its_day(nse: SessionCalendar, day: str, opens: str, closes: str) -> None:
    assert local(nse.opens, nse, day) == f"{day} {opens}"
    assert local(nse.closes, nse, day) == f"{day} {closes}"


def test_new_york_closes_early_before_independence_day(new_york: SessionCalendar) -> None:
    assert local(new_york.closes, new_york, "2018-07-03") == "2018-07-03 13:00"
    assert local(new_york.opens, new_york, "2018-07-03") == "2018-07-03 09:30"


def test_a_decision_at_quarter_to_nine_precedes_every_open(nse: SessionCalendar) -> None:
    decisions = nse.decisions(time(8, 45))
    assert (decisions < nse.opens).all()
    assert (nse.opens < nse.closes).all()
    assert local(decisions, nse, "2021-11-04") == "2021-11-04 08:45"


def test_decisions_follow_the_clock_of_new_york_through_its_summer(new_york: SessionCalendar) -> None:
    decisions = new_york.decisions(time(9, 0))
    assert decisions[new_york.position(pd.Timestamp("2024-03-08"))] == pd.Timestamp("2024-03-08T14:00Z")
    assert decisions[new_york.position(pd.Timestamp("2024-03-11"))] == pd.Timestamp("2024-03-11T13:00Z")


@given(day=st.dates(date(2000, 1, 1), date(2030, 12, 31)), delay_min=st.integers(0, 1440))
def test_a_new_york_bar_is_known_at_four_o_clock_there_plus_the_delay(day: date, delay_min: int) -> None:
    known = available_at(pd.DatetimeIndex([day]), "XNYS", delay_min=delay_min)
    close = datetime.combine(day, time(16), NEW_YORK).astimezone(ZoneInfo("UTC"))
    assert known[0] == close + timedelta(minutes=delay_min)


def test_last_night_s_new_york_is_known_at_the_decision_and_today_s_bar_is_not(nse: SessionCalendar) -> None:
    days = nse.sessions[1:]
    decisions = nse.decisions(time(8, 45))[1:]
    assert (available_at(days - pd.Timedelta(days=1), "XNYS", delay_min=60) < decisions).all()
    assert (available_at(days, "XNYS", delay_min=0) > decisions).all()
    assert (available_at(days, "XNSE", delay_min=0) > decisions).all()


def test_no_bar_is_known_before_its_session_closes(nse: SessionCalendar, new_york: SessionCalendar) -> None:
    assert (available_at(nse.sessions, "XNSE", delay_min=0) >= nse.closes).all()
    assert (available_at(new_york.sessions, "XNYS", delay_min=0) >= new_york.closes).all()


def test_available_at_keeps_the_order_it_is_given(nse: SessionCalendar) -> None:
    days = nse.sessions[-300:]
    backwards = available_at(days[::-1], "XNSE", delay_min=60)
    assert (backwards[::-1] == available_at(days, "XNSE", delay_min=60)).all()


def test_the_foreign_exchange_day_ends_at_five_in_new_york() -> None:
    known = available_at(pd.DatetimeIndex(["2021-01-04", "2021-07-01"]), "FOREX", delay_min=0)
    assert [f"{instant:%H:%M}" for instant in known] == ["22:00", "21:00"]
    calendar = load_calendar("FOREX", first=date(2021, 1, 1), last=date(2021, 1, 10))
    assert len(calendar.sessions) == 6
    assert (calendar.closes - calendar.opens == pd.Timedelta(days=1)).all()


@pytest.mark.parametrize("exchange", sorted(EXCHANGES))
def test_every_exchange_loads_and_closes_no_later_than_its_bars_are_known(exchange: str) -> None:
    # An hour, because the library lets CMES close at 17:00 Chicago, when its next day opens.
    calendar = load_calendar(exchange, first=date(2024, 12, 1), last=date(2025, 2, 28))
    assert 50 <= len(calendar.sessions) <= (90 if exchange == "ALWAYS" else 65)
    known = available_at(calendar.sessions, exchange, delay_min=60)
    assert (known >= calendar.closes).all()


def test_past_the_library_s_end_every_weekday_is_a_session() -> None:
    calendar = load_calendar("XNSE", first=date(2026, 12, 21), last=date(2027, 1, 31))
    assert list(calendar.between(date(2027, 1, 1), date(2027, 1, 31))) == list(
        pd.date_range("2027-01-01", "2027-01-31", freq="B")
    )
    assert pd.Timestamp("2026-12-25") not in calendar.sessions
    assert len(load_calendar("XNSE", first=date(2040, 1, 2), last=date(2040, 1, 6)).sessions) == 5


def test_before_the_library_s_start_only_recorded_holidays_are_left_out() -> None:
    calendar = load_calendar("XNSE", first=date(1995, 12, 25), last=date(1997, 1, 31))
    weekdays = pd.date_range("1995-12-25", "1996-12-31", freq="B")
    closed = [row["date"] for row in corrections("XNSE") if row["date"].startswith("1996")]
    assert list(calendar.between(date(1995, 12, 25), date(1996, 12, 31))) == list(weekdays.drop(pd.to_datetime(closed)))


def test_a_range_may_hold_one_session_or_none() -> None:
    one = load_calendar("XNYS", first=date(2020, 12, 24), last=date(2020, 12, 24))
    assert list(one.sessions) == [pd.Timestamp("2020-12-24")]
    none = load_calendar("XNYS", first=date(2020, 12, 25), last=date(2020, 12, 27))
    assert len(none.sessions) == len(none.opens) == len(none.decisions(time(9))) == 0
    with pytest.raises(CalendarError, match="of which it has none"):
        none.position(date(2020, 12, 25))


def test_a_calendar_does_not_depend_on_where_its_range_begins(nse: SessionCalendar) -> None:
    part = load_calendar("XNSE", first=date(2011, 10, 20), last=date(2011, 11, 10))
    where = [nse.position(session) for session in part.sessions]
    assert list(part.sessions) == list(nse.between(date(2011, 10, 20), date(2011, 11, 10)))
    assert list(part.opens) == list(nse.opens[where])
    assert list(part.closes) == list(nse.closes[where])


@given(data=st.data(), count=st.integers(1, 30))
def test_previous_undoes_next(nse: SessionCalendar, data: st.DataObject, count: int) -> None:
    session = nse.sessions[data.draw(st.integers(30, len(nse.sessions) - 31))]
    assert nse.previous(nse.next(session, count), count) == session
    assert nse.position(nse.next(session, count)) == nse.position(session) + count


def test_the_neighbours_of_a_holiday_are_sessions(nse: SessionCalendar) -> None:
    assert nse.previous(date(2024, 1, 22)) == pd.Timestamp("2024-01-20")
    assert nse.next(date(2024, 1, 22)) == pd.Timestamp("2024-01-23")


def test_a_session_outside_the_calendar_is_an_error_not_a_guess(nse: SessionCalendar) -> None:
    with pytest.raises(CalendarError, match="load a longer calendar"):
        nse.previous(nse.sessions[0])
    with pytest.raises(CalendarError, match="load a longer calendar"):
        nse.next(nse.sessions[-1])
    with pytest.raises(CalendarError, match="Sun 2024-01-21 is no session of XNSE"):
        nse.position(date(2024, 1, 21))


def test_an_unknown_exchange_gets_a_suggestion() -> None:
    with pytest.raises(CalendarError, match='did you mean "XNSE"'):
        load_calendar("NSE", first=date(2020, 1, 1), last=date(2020, 2, 1))
    with pytest.raises(CalendarError, match="it must be one of"):
        available_at(pd.DatetimeIndex([]), "?", delay_min=0)


def test_a_range_that_ends_before_it_begins_is_an_error() -> None:
    with pytest.raises(CalendarError, match="first <= last"):
        load_calendar("XNSE", first=date(2020, 2, 1), last=date(2020, 1, 1))


def test_availability_needs_no_calendar_library() -> None:
    code = (
        "import sys, pandas as pd, ensemble.sessions as s;"
        "s.available_at(pd.DatetimeIndex(['2024-01-23']), 'XNSE', delay_min=0);"
        "sys.exit('exchange_calendars' in sys.modules)"
    )
    root = Path(__file__).parents[2]
    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode == 0
