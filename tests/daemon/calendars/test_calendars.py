"""One's own rows of the calendar, what bars say about it, and sessions that nobody knows of yet."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from typer.testing import CliRunner

from daemon.bars.ingest import ingest
from daemon.calendars.check import Witness, compare, half_days, has_traded, seen_in
from daemon.calendars.days import calendar_days
from daemon.cli import app
from daemon.config.configurations import deciding, restored
from daemon.config.settings import Settings, describe, load_settings
from daemon.errors import ConfigError
from daemon.services import Services, recipe_of
from ensemble.sessions import load_calendar
from ensemble.validation.rules import BarRules, Series
from ensemble.validation.sifting import sift_bars

ServicesAt = Callable[..., AbstractContextManager[Services]]
HEAD = "date,kind,opens,closes,reason\n"
RULES = BarRules()


def with_rows(folder: Path, text: str, name: str = "XNSE.csv", config: str = "") -> Settings:
    (folder / "calendar").mkdir(exist_ok=True)
    (folder / "calendar" / name).write_text(HEAD + text, encoding="utf-8")
    (folder / "config.toml").write_text(f'[calendar]\noverrides = "calendar"\n{config}', encoding="utf-8")
    return load_settings(folder / "config.toml", {})


def refusal(folder: Path, text: str, name: str = "XNSE.csv", config: str = "") -> str:
    with pytest.raises(ConfigError) as caught:
        with_rows(folder, text, name, config)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_the_folder_s_rows_are_in_force(tmp_path: Path) -> None:
    settings = with_rows(tmp_path, "2027-01-26,closed,,,Republic Day\n2027-12-31,until,,,NSE/CMTR/1\n")
    calendar = settings.calendar.load("XNSE", first=date(2027, 1, 25), last=date(2027, 1, 27))
    assert [day.day for day in calendar.sessions] == [25, 27]
    assert settings.calendar.known_until("XNSE") == date(2027, 12, 31)
    assert not settings.calendar.is_provisional("XNSE", date(2027, 12, 31))
    assert settings.calendar.is_provisional("XNSE", date(2028, 1, 3))


def test_other_files_in_the_folder_are_nobody_s_business(tmp_path: Path) -> None:
    with_rows(tmp_path, "")
    (tmp_path / "calendar" / "README").write_text("mine", encoding="utf-8")
    assert set(load_settings(tmp_path / "config.toml", {}).calendar.corrections) == {"XNSE"}


@pytest.mark.parametrize(
    ("rows", "name", "told"),
    [
        ("2027-01-26,close,,,x\n", "XNSE.csv", 'XNSE.csv, line 2 had kind "close"; did you mean "closed"?.'),
        ("", "NSE.csv", 'NSE.csv is of no known exchange; did you mean "XNSE.csv"?'),
        ("", "mars.csv", "mars.csv is of no known exchange; its name must be one of XNSE"),
        ("2027-10-29,extra,18:15,,x\n", "XNSE.csv", "it would open at 18:15 and close at 15:35; give opens and closes"),
        ("2027-10-29,extra,18:15,17:15,x\n", "XNSE.csv", "it would open at 18:15 and close at 17:15"),
        ("2027-05-03,hours,08:30,15:30,x\n", "XNSE.csv", "would open at 08:30, and is decided at 08:45; set schedule"),
    ],
)
def test_a_row_that_cannot_be_ends_the_start_with_one_line(tmp_path: Path, rows: str, name: str, told: str) -> None:
    assert told.removesuffix("?.") in refusal(tmp_path, rows, name)


def test_a_folder_that_is_none_is_told(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('[calendar]\noverrides = "nowhere"\n', encoding="utf-8")
    with pytest.raises(ConfigError, match=r"calendar\.overrides was \S+nowhere, which is no folder; make it"):
        load_settings(tmp_path / "config.toml", {})


def test_a_file_that_is_no_text_is_told(tmp_path: Path) -> None:
    with_rows(tmp_path, "")
    (tmp_path / "calendar" / "XNSE.csv").write_bytes(b"\xff\xfe\x00date")
    with pytest.raises(ConfigError, match=r"XNSE\.csv is no UTF-8 text; save it as UTF-8\."):
        load_settings(tmp_path / "config.toml", {})


def test_an_exchange_abroad_may_open_before_the_decision_at_home(tmp_path: Path) -> None:
    settings = with_rows(tmp_path, "2027-05-03,hours,04:00,20:00,longer days\n", "XNYS.csv")
    calendar = settings.calendar.load("XNYS", first=date(2027, 5, 3), last=date(2027, 5, 3))
    assert f"{calendar.closes.tz_convert('America/New_York')[0]:%H:%M}" == "20:00"


def test_a_run_keeps_the_rows_and_a_replay_has_them_though_the_folder_has_changed(tmp_path: Path) -> None:
    then = with_rows(tmp_path, "2027-01-26,closed,,,Republic Day\n")
    now = with_rows(tmp_path, "2027-01-27,closed,,,another\n")
    again = restored(deciding(then), now)
    assert again.calendar.corrections == then.calendar.corrections
    assert deciding(again) == deciding(then) != deciding(now)
    assert restored(deciding(Settings()), now).calendar.corrections == {}


def test_own_rows_alone_train_nothing_for_the_sessions_themselves_are_in_a_model_s_digest(tmp_path: Path) -> None:
    assert recipe_of(with_rows(tmp_path, "2027-01-26,closed,,,x\n")).digest() == recipe_of(Settings()).digest()


def test_the_configuration_shown_names_the_folder_and_not_its_rows(tmp_path: Path) -> None:
    shown = describe(with_rows(tmp_path, "2027-01-26,closed,,,x\n"))
    assert f'overrides = "{tmp_path}/calendar"' in shown
    assert "Republic" not in shown


# What the bars say.

HOME = load_calendar("XNSE", first=date(2021, 9, 1), last=date(2021, 10, 29))


def witness(*without: str, also: tuple[str, ...] = (), refused: tuple[str, ...] = ()) -> Witness:
    days = HOME.sessions.drop(list(map(pd.Timestamp, without))).union(pd.DatetimeIndex(also))
    return Witness(days, pd.DatetimeIndex(refused))


def test_a_session_that_one_symbol_has_is_confirmed() -> None:
    assert compare(HOME, [witness("2021-10-05"), witness("2021-10-06")]).lines() == []


def test_a_session_without_a_bar_of_any_symbol_is_told_once_a_later_one_has_come() -> None:
    found = compare(HOME, [witness("2021-10-05"), witness("2021-10-05", "2021-10-29")])
    assert found.without_bars == (date(2021, 10, 5),)
    assert found.lines() == [
        "XNSE: no symbol has a bar of Tue 2021-10-05: a holiday the calendar lacks, or bars the feed lacks"
    ]
    newest = compare(HOME, [witness("2021-10-29"), witness("2021-10-29")])
    assert newest.lines() == []


def test_a_day_of_most_symbols_that_is_no_session_is_told_and_one_of_a_few_is_not() -> None:
    sunday = ("2021-10-10",)
    told = compare(HOME, [witness(refused=sunday), witness(also=sunday), witness()])
    assert told.no_sessions == (date(2021, 10, 10),)
    assert compare(HOME, [witness(refused=sunday), witness(), witness()]).no_sessions == ()


def test_symbols_that_were_not_listed_yet_or_any_more_count_for_nothing() -> None:
    young = Witness(HOME.sessions[-5:])
    told = compare(HOME, [witness(refused=("2021-09-12",)), young, young])
    assert told.no_sessions == (date(2021, 9, 12),)


def test_only_what_is_new_is_told_when_only_that_is_asked() -> None:
    seen = [witness("2021-10-05", "2021-10-20")]
    assert compare(HOME, seen, since=date(2021, 10, 5)).without_bars == (date(2021, 10, 20),)


def test_without_any_bar_there_is_nothing_to_compare() -> None:
    assert compare(HOME, [Witness(pd.DatetimeIndex([]))]).lines() == []


@pytest.mark.parametrize(
    ("bar", "traded"),
    [
        ({"volume": 0.0, "high": 5.0, "low": 5.0}, False),
        ({"volume": None, "high": None, "low": None}, False),
        ({"volume": 0.0, "high": 5.1, "low": 5.0}, True),
        ({"volume": 7.0, "high": 5.0, "low": 5.0}, True),
        ({"volume": "inf", "high": 5.0, "low": 5.0}, False),
    ],
)
def test_a_bar_that_stands_still_without_a_volume_is_a_feed_s_filler(bar: dict[str, Any], traded: bool) -> None:
    assert has_traded(bar) is traded


def test_a_reading_shows_what_was_kept_and_what_traded_on_a_day_that_is_no_session() -> None:
    days = pd.DatetimeIndex(["2021-10-08", "2021-10-10", "2021-10-15"], name="session")
    bars = pd.DataFrame(dict.fromkeys(("open", "high", "low", "close", "adj_close"), 5.0), index=days)
    bars["volume"] = [7.0, 7.0, 0.0]
    seen = seen_in(sift_bars(bars, Series("AAA.NS", True, HOME.sessions), rules=RULES))
    assert list(seen.sessions) == [days[0]]
    assert list(seen.refused) == [days[1]]  # the last one is a holiday that the feed filled


def change_bars(folder: Path, change: Callable[[pd.DataFrame], pd.DataFrame], *symbols: str) -> None:
    for symbol in symbols:
        path = folder / "bars" / f"{symbol}.csv"
        change(pd.read_csv(path)).to_csv(path, index=False)


def test_an_ingest_warns_of_what_is_new_and_the_check_of_all(
    copy: Path, services_at: ServicesAt, lines: list[str]
) -> None:
    change_bars(copy, lambda bars: bars[bars["Date"] != "2021-10-06"], "AAA.NS", "BBB.NS", "^INDEX")
    sunday = lambda bars: pd.concat([bars, bars[bars["Date"] == "2021-10-08"].assign(Date="2021-10-10")])  # noqa: E731
    change_bars(copy, sunday, "AAA.NS", "BBB.NS")
    with services_at(copy, "2021-10-11 17:00") as services:
        calendar = load_calendar("XNSE", first=date(2018, 1, 1), last=date(2021, 11, 11))
        for _ in range(2):  # the second time nothing is new
            ingest(services, calendar)
    told = [line for line in lines if "docs/calendar.md" in line]
    assert len(told) == 2
    assert "no symbol has a bar of Wed 2021-10-06" in told[0]
    assert "most symbols have a bar of Sun 2021-10-10" in told[1]
    result = CliRunner().invoke(app, ["--config", str(copy / "config.toml"), "calendar", "check", "--json"])
    shown = json.loads(result.output)
    assert (result.exit_code, shown["agrees"]) == (1, False)
    home, abroad = shown["exchanges"]
    assert (home["without_bars"], home["no_sessions"]) == (["2021-10-06"], ["2021-10-10"])
    assert abroad["exchange"] == "XNYS"


def test_the_check_ends_with_0_where_all_agree(copy: Path) -> None:
    words = ["--config", str(copy / "config.toml"), "calendar", "check", "--now", "2021-10-06T00:00:00Z"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0
    assert result.output.startswith("XNSE: calendar and bars agree\n")


def test_on_american_holidays_a_future_needs_no_bar_on_other_days_it_does() -> None:
    settings, first, last = Settings(), date(2021, 1, 4), date(2021, 12, 31)
    calendar = load_calendar("CMES", first=first, last=last)
    open_days = load_calendar("XNYS", first=first, last=last).sessions
    holidays = half_days(settings, calendar)
    assert pd.Timestamp("2021-11-25") in holidays
    assert len(holidays) == len(calendar.sessions) - len(open_days) > 5
    for lacking in ([], ["2021-11-26"]):
        seen = [Witness(open_days.drop(pd.DatetimeIndex(lacking)))]
        found = compare(calendar, seen, barless=holidays)
        assert [f"{day}" for day in found.without_bars] == lacking
        assert found.is_slight
    assert half_days(settings, HOME).empty


def test_a_few_gaps_abroad_are_one_line_and_at_home_each_day_is_told(copy: Path) -> None:
    open_days = load_calendar("XNYS", first=date(2018, 1, 1), last=date(2021, 12, 31)).sessions.strftime("%Y-%m-%d")
    change_bars(copy, lambda bars: bars[bars["Date"].isin(open_days)], "ETF")
    change_bars(copy, lambda bars: bars[bars["Date"] != "2021-09-15"], "ETF", "AAA.NS", "BBB.NS", "^INDEX")
    (copy / "state" / "signals.db").unlink()
    words, now = ["--config", str(copy / "config.toml")], ["--now", "2021-10-06T00:00:00Z"]
    assert CliRunner().invoke(app, [*words, "backfill", *now]).exit_code == 0
    home, abroad = CliRunner().invoke(app, [*words, "calendar", "check", *now]).output.splitlines()
    assert home.startswith("XNSE: no symbol has a bar of Wed 2021-09-15: ")
    assert abroad == "XNYS: calendar and bars agree, but for 1 of 947 sessions (--json names them)"


# What is shown.


def test_days_are_shown_with_their_hours_what_they_are_and_whether_that_is_known() -> None:
    shown = calendar_days(Settings(), "XNSE", first=date(2025, 10, 20), last=date(2025, 10, 23))
    assert [day.line() for day in shown] == [
        "Mon 2025-10-20  09:15-15:30",
        "Tue 2025-10-21  13:45-14:45  Muhurat",
        "Wed 2025-10-22  closed",
        "Thu 2025-10-23  09:15-15:30",
    ]


def show(folder: Path, *words: str) -> str:
    (folder / "config.toml").write_text("", encoding="utf-8")
    result = CliRunner().invoke(app, ["--config", str(folder / "config.toml"), "calendar", "show", *words])
    return str(result.exception) if result.exception else result.output


def test_days_past_the_known_holidays_are_shown_as_provisional(tmp_path: Path) -> None:
    end = Settings().calendar.known_until("XNSE")
    assert end is not None
    words = ("--from", f"{end - timedelta(days=10)}", "--to", f"{end + timedelta(days=10)}")
    *lines, last = show(tmp_path, *words).splitlines()
    assert all(("provisional" in line) == (line.split()[1] > f"{end}") for line in lines)
    assert last.endswith(f"known until {end}")
    days = json.loads(show(tmp_path, *words, "--json"))["days"]
    assert [day["provisional"] for day in days] == ["provisional" in line for line in lines]


def test_an_unknown_exchange_gets_the_likely_one(tmp_path: Path) -> None:
    assert 'did you mean "XNSE"' in show(tmp_path, "--exchange", "NSE")


def test_what_never_closes_is_shown_on_its_own_clock() -> None:
    (day,) = calendar_days(Settings(), "ALWAYS", first=date(2024, 3, 2), last=date(2024, 3, 2))
    assert day.line() == "Sat 2024-03-02  00:00-24:00"


def test_what_is_not_known_of_weekends_long_ago_is_said(tmp_path: Path) -> None:
    words = ("--from", "2003-03-20", "--to", "2003-03-24")
    assert (
        show(tmp_path, *words).splitlines()[-1].startswith("XNSE: before 2006-01-02 sessions on Saturdays and Sundays")
    )
    assert json.loads(show(tmp_path, *words, "--json"))["unsure"]
    later = show(tmp_path, "--from", "2006-01-02", "--to", "2006-01-06")
    assert later.splitlines()[-1].startswith("XNSE: 5 sessions")
    assert json.loads(show(tmp_path, "--exchange", "XNYS", *words, "--json"))["unsure"] is None
