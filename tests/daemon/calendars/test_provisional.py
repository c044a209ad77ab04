"""Past all known holidays every Monday to Friday is a session, until its bars say otherwise."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from daemon.cli import app
from daemon.config.settings import Settings
from daemon.services import Services
from daemon.sessions.reconcile import reconcile
from daemon.verifying.verify import verify
from storage.engine import reading
from tests.daemon.conftest import CONFIG

ServicesAt = Callable[..., AbstractContextManager[Services]]


@dataclass(frozen=True)
class Beyond:
    """An installation that has lived through a week past the end of the known holidays."""

    folder: Path
    holiday: date
    """A Wednesday on which nobody traded, and which no calendar knew of."""
    week: tuple[date, ...]
    """Monday to Friday."""


@pytest.fixture(scope="module")
def beyond(tmp_path_factory: pytest.TempPathFactory, services_at: ServicesAt) -> Beyond:
    end = Settings().calendar.known_until("XNSE")
    assert end is not None
    monday = end + timedelta(days=14 - end.weekday())
    week = tuple(monday + timedelta(days=count) for count in range(5))
    folder, holiday = tmp_path_factory.mktemp("beyond"), week[2]
    _write(folder, end.replace(year=end.year - 3), week[-1], holiday)
    for session in week:
        for moment in ("08:50", "17:00"):
            with services_at(folder, f"{session} {moment}") as services:
                reconcile(services)
    return Beyond(folder, holiday, week)


def _write(folder: Path, first: date, last: date, holiday: date) -> None:
    random = np.random.default_rng(3)
    days = Settings().calendar.load("XNSE", first=first, last=last).sessions.drop([pd.Timestamp(holiday)])
    (folder / "bars").mkdir()
    for symbol in ("AAA.NS", "BBB.NS", "^INDEX", "ETF"):
        close = 100 * np.exp(np.cumsum(random.normal(0.0005, 0.01, len(days))))
        opened = close * np.exp(random.normal(0.003, 0.004, len(days)))
        columns = {"Open": opened, "High": np.maximum(opened, close) * 1.01, "Low": np.minimum(opened, close) * 0.99}
        bars = pd.DataFrame(columns | {"Close": close, "Adj Close": close, "Volume": 1000.0}, index=days)
        bars.to_csv(folder / "bars" / f"{symbol}.csv", index_label="Date", date_format="%Y-%m-%d")
    # Every position ends with its session, so that each session has a signal that wants something.
    day_trades = "[risk]\nmax_holding_sessions = 1\n"
    config = CONFIG.replace("2018-01-01", f"{first}").replace("[risk]\nmax_holding_sessions = 3\n", day_trades)
    (folder / "config.toml").write_text(config, encoding="utf-8")


@pytest.fixture
def services(beyond: Beyond, services_at: ServicesAt) -> Iterator[Services]:
    with services_at(beyond.folder, f"{beyond.week[-1]} 18:00") as opened:
        yield opened


def rows(services: Services, sql: str, **values: Any) -> list[tuple[Any, ...]]:
    with reading(services.engine) as conn:
        return [tuple(row) for row in conn.execute(text(sql), values)]


def test_provisional_sessions_are_decided_and_settled_as_any_other(beyond: Beyond, services: Services) -> None:
    for kind in ("decide", "settle"):
        query = "SELECT session FROM runs WHERE kind = :kind AND status IN ('done', 'no_data') ORDER BY 1"
        done = rows(services, query, kind=kind)
        assert [session for (session,) in done] == [f"{session}" for session in beyond.week]


def test_a_holiday_nobody_knew_of_leaves_no_signal_and_no_order_open(beyond: Beyond, services: Services) -> None:
    day = f"{beyond.holiday}"
    ((action, quantity),) = rows(services, "SELECT action, quantity FROM signals WHERE session = :day", day=day)
    events = rows(services, "SELECT kind, reason FROM account_events WHERE session = :day", day=day)
    assert action == "BUY", "made up so that there is something to be left open"
    assert quantity > 0
    assert ("UNFILLED", "NO_BAR") in events
    assert not {"ENTERED", "EXITED"} & {kind for kind, _ in events}
    assert rows(services, "SELECT kind, session FROM runs WHERE status = 'no_data'") == [("settle", day)]
    assert rows(services, "SELECT count(*) FROM runs WHERE status NOT IN ('done', 'no_data')") == [(0,)]


def test_the_day_after_such_a_holiday_enters_nothing_and_the_next_one_may(beyond: Beyond, services: Services) -> None:
    after, next_day = beyond.week[3], beyond.week[4]
    reasons = dict(rows(services, "SELECT session, reasons FROM signals"))
    assert "STALE" in reasons[f"{after}"]
    assert "STALE" not in reasons[f"{next_day}"]


def invoke(beyond: Beyond, *words: str) -> str:
    return CliRunner().invoke(app, ["--config", str(beyond.folder / "config.toml"), *words]).output


def test_status_and_doctor_say_that_sessions_are_provisional(beyond: Beyond) -> None:
    shown = invoke(beyond, "status", "--now", f"{beyond.week[-1]}T12:30:00Z")
    assert "its sessions are provisional, Monday to Friday" in shown
    assert "(a provisional session)" in shown
    assert shown.startswith("Healthy")


def test_the_holiday_is_told_by_the_check(beyond: Beyond) -> None:
    shown = invoke(beyond, "calendar", "check", "--now", f"{beyond.week[-1]}T12:30:00Z")
    assert f"XNSE: no symbol has a bar of Wed {beyond.holiday}: a holiday the calendar lacks" in shown


def test_the_holiday_once_written_down_is_nothing_to_do_and_what_was_decided_is_still_replayed(
    beyond: Beyond, services_at: ServicesAt, tmp_path: Path
) -> None:
    beyond = replace(beyond, folder=Path(shutil.copytree(beyond.folder, tmp_path / "copy")))
    (beyond.folder / "calendar").mkdir()
    row = f"date,kind,opens,closes,reason\n{beyond.holiday},closed,,,holiday\n"
    (beyond.folder / "calendar" / "XNSE.csv").write_text(row, encoding="utf-8")
    config = beyond.folder / "config.toml"
    config.write_text(config.read_text(encoding="utf-8") + '\n[calendar]\noverrides = "calendar"\n', encoding="utf-8")
    now = f"{beyond.week[-1]}T12:30:00Z"
    assert "XNSE: calendar and bars agree" in invoke(beyond, "calendar", "check", "--now", now)
    with services_at(beyond.folder, f"{beyond.week[-1]} 18:00") as services:
        assert reconcile(services).done == ()
        assert verify(services, since=beyond.week[0]).passes(allow_unreplayed=False)
