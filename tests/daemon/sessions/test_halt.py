"""The kill switch: by command or by a file, through restarts, while the daemon works."""

import json
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from sqlalchemy import Engine, text
from typer.testing import CliRunner

from daemon.backtests.backtest import backtest
from daemon.cli import app
from daemon.instance import only_instance
from daemon.notify.options import NotifyOptions
from daemon.services import Services
from daemon.sessions.halt import FILE_NOTE, HALT_FILE, follow_file, halt, holds_in_force, resume
from daemon.sessions.reconcile import reconcile
from storage.account_store import read_account, read_events
from storage.engine import reading

ServicesAt = Callable[..., AbstractContextManager[Services]]
AHEAD = ("2021-10-06", "2021-10-07", "2021-10-08", "2021-10-11", "2021-10-12")


def rows(engine: Engine, sql: str) -> list[tuple[Any, ...]]:
    with reading(engine) as conn:
        return [tuple(row) for row in conn.execute(text(sql))]


def live_through(folder: Path, services_at: ServicesAt, *sessions: str) -> None:
    for session in sessions:
        for moment in ("08:50", "17:00"):
            with services_at(folder, f"{session} {moment}") as services:
                reconcile(services)


def entered(folder: Path, services_at: ServicesAt) -> list[str]:
    """The sessions ahead with a new position."""
    with services_at(folder, f"{AHEAD[-1]} 20:00") as services:
        sql = (
            "SELECT session FROM account_events WHERE origin = 'live' AND kind = 'ENTERED' AND session >= '2021-10-06'"
        )
        return [session for (session,) in rows(services.engine, sql)]


def halt_at(folder: Path, services_at: ServicesAt, moment: str, note: str = "") -> date:
    with services_at(folder, moment) as services:
        return halt(services.engine, services.settings, now=services.clock.now(), note=note)


def resume_at(folder: Path, services_at: ServicesAt, moment: str) -> list[str]:
    with services_at(folder, moment) as services:
        resumed = resume(services.engine, services.settings, now=services.clock.now())
    return [hold.reason for hold in resumed.ended]


@pytest.fixture
def free(copy: Path, services_at: ServicesAt) -> list[str]:
    """Where nobody halts, positions are opened in these sessions."""
    live_through(copy, services_at, *AHEAD)
    return entered(copy, services_at)


@pytest.fixture
def folder(lived: Path, tmp_path: Path) -> Path:
    """A second copy."""
    return Path(shutil.copytree(lived, tmp_path / "halted"))


def test_nothing_is_entered_from_a_halt_until_somebody_resumes(
    free: list[str], folder: Path, services_at: ServicesAt
) -> None:
    assert free
    first, *_ = free
    before, after = [day for day in AHEAD if day < first], [day for day in AHEAD if day >= first]
    live_through(folder, services_at, *before)
    assert halt_at(folder, services_at, f"{first} 08:00", "holidays") == date.fromisoformat(first)
    live_through(folder, services_at, *after)
    assert entered(folder, services_at) == []
    with services_at(folder, f"{AHEAD[-1]} 20:00") as services:
        said = rows(
            services.engine, f"SELECT reasons, action FROM signals WHERE session = '{first}' AND origin = 'live'"
        )
        count = rows(services.engine, "SELECT count(*) FROM signals WHERE origin = 'live'")
    assert [(json.loads(reasons), action) for reasons, action in said] == [(["KILL_SWITCH"], "HOLD")]
    assert count == [(6 + len(AHEAD),)]
    assert resume_at(folder, services_at, f"{AHEAD[-1]} 20:00") == ["KILL_SWITCH"]
    with services_at(folder, f"{AHEAD[-1]} 20:00") as services, reading(services.engine) as conn:
        account = read_account(conn, "live")
    assert account is not None
    assert [hold.until for hold in account.holds] == [date(2021, 10, 13)]


def test_a_halt_after_the_decision_and_before_the_open_stops_what_was_decided(
    free: list[str], folder: Path, services_at: ServicesAt
) -> None:
    first = free[0]
    live_through(folder, services_at, *(day for day in AHEAD if day < first))
    with services_at(folder, f"{first} 08:50") as services:
        reconcile(services)
    assert halt_at(folder, services_at, f"{first} 09:00") == date.fromisoformat(first)
    with services_at(folder, f"{first} 17:00") as services:
        reconcile(services)
        unfilled = rows(services.engine, "SELECT session, reason FROM account_events WHERE kind = 'UNFILLED'")
    assert (first, "KILL_SWITCH") in unfilled
    assert entered(folder, services_at) == []


def test_a_halt_after_the_open_leaves_what_was_filled(free: list[str], folder: Path, services_at: ServicesAt) -> None:
    first = free[0]
    live_through(folder, services_at, *(day for day in AHEAD if day < first))
    with services_at(folder, f"{first} 08:50") as services:
        reconcile(services)
    assert halt_at(folder, services_at, f"{first} 10:00") > date.fromisoformat(first)
    with services_at(folder, f"{first} 17:00") as services:
        reconcile(services)
    assert entered(folder, services_at) == [first]


def test_a_file_halts_while_it_is_there(free: list[str], folder: Path, services_at: ServicesAt) -> None:
    first = free[0]
    live_through(folder, services_at, *(day for day in AHEAD if day < first))
    (folder / "state" / HALT_FILE).touch()
    with services_at(folder, f"{first} 08:50") as services:
        reconcile(services)
        reconcile(services)
        assert rows(
            services.engine, "SELECT reason, note FROM account_events WHERE kind = 'HALTED' AND note <> ''"
        ) == [("KILL_SWITCH", FILE_NOTE)]
        said = rows(services.engine, f"SELECT reasons FROM signals WHERE session = '{first}' AND origin = 'live'")
    assert said == [('["KILL_SWITCH"]',)]
    assert resume_at(folder, services_at, f"{first} 12:00") == []
    (folder / "state" / HALT_FILE).unlink()
    with services_at(folder, f"{first} 17:00") as services:
        reconcile(services)
        told = rows(services.engine, "SELECT kind, session, note FROM account_events WHERE reason = 'KILL_SWITCH'")
    assert [(kind, note) for kind, _, note in told] == [("HALTED", FILE_NOTE), ("RESUMED", FILE_NOTE)]
    assert told[0][1] == first < told[1][1]


@pytest.mark.parametrize("by_command", [False, True])
def test_a_switch_thrown_while_the_clock_was_ahead_halts_once_it_is_right_again(
    by_command: bool, copy: Path, services_at: ServicesAt
) -> None:
    if not by_command:
        (copy / "state" / HALT_FILE).touch()
    for moment in ("2021-11-06 09:00", "2021-10-06 08:50"):
        with services_at(copy, moment) as services:
            if by_command:
                halt(services.engine, services.settings, now=services.clock.now(), note="")
            else:
                follow_file(services)
    with services_at(copy, "2021-10-06 08:50") as services, reading(services.engine) as conn:
        (hold,) = holds_in_force(read_account(conn, "live"), date(2021, 10, 6))
    assert (hold.since, hold.reason) == (date(2021, 10, 6), "KILL_SWITCH")


def test_a_command_in_the_words_of_the_file_stays_when_no_file_is_there(copy: Path, services_at: ServicesAt) -> None:
    halt_at(copy, services_at, "2021-10-06 08:00", FILE_NOTE)
    with services_at(copy, "2021-10-06 08:10") as services:
        follow_file(services)
        (copy / "state" / HALT_FILE).touch()
        follow_file(services)
    assert resume_at(copy, services_at, "2021-10-06 08:20") == ["KILL_SWITCH"]
    (copy / "state" / HALT_FILE).unlink()
    with services_at(copy, "2021-10-06 08:30") as services:
        follow_file(services)
        told = rows(services.engine, "SELECT kind, cause FROM account_events WHERE reason = 'KILL_SWITCH'")
    assert told == [("HALTED", "COMMAND"), ("HALTED", "FILE"), ("RESUMED", "COMMAND"), ("RESUMED", "FILE")]


def test_halting_twice_is_halting_once_and_another_reason_is_another_halt(copy: Path, services_at: ServicesAt) -> None:
    first = halt_at(copy, services_at, "2021-10-06 08:00", "one")
    assert halt_at(copy, services_at, "2021-10-07 08:00", "one") == first
    assert halt_at(copy, services_at, "2021-10-07 08:00", "two") == date(2021, 10, 7)
    assert resume_at(copy, services_at, "2021-10-07 08:00") == ["KILL_SWITCH", "KILL_SWITCH"]
    assert resume_at(copy, services_at, "2021-10-07 08:00") == []


def test_a_halt_that_was_commanded_while_the_clock_was_ahead_need_not_be_repeated(
    copy: Path, services_at: ServicesAt
) -> None:
    assert halt_at(copy, services_at, "2021-11-06 12:00", "holidays") == date(2021, 11, 8)
    for moment in ("2021-11-06 12:00", "2021-10-06 08:50", "2021-10-06 08:55"):
        with services_at(copy, moment) as services:
            follow_file(services)
    with services_at(copy, "2021-10-06 09:00") as services, reading(services.engine) as conn:
        (hold,) = holds_in_force(read_account(conn, "live"), date(2021, 10, 6))
        thrown = [event.session for event in read_events(conn, "live") if event.kind == "HALTED"]
    assert (hold.reason, hold.note) == ("KILL_SWITCH", "holidays")
    assert thrown == [date(2021, 11, 8), date(2021, 10, 6)]
    assert resume_at(copy, services_at, "2021-10-06 12:00") == ["KILL_SWITCH"]


def test_a_file_that_has_gone_lets_go_what_was_thrown_while_the_clock_was_ahead(
    copy: Path, services_at: ServicesAt
) -> None:
    (copy / "state" / HALT_FILE).touch()
    with services_at(copy, "2021-11-06 12:00") as services:
        follow_file(services)
    (copy / "state" / HALT_FILE).unlink()
    with services_at(copy, "2021-10-06 08:50") as services:
        follow_file(services)
        with reading(services.engine) as conn:
            account = read_account(conn, "live")
    assert account is not None
    assert not any(hold.forbids("A", session) for hold in account.holds for session in (date(2021, 10, 6), hold.since))


def test_a_halt_before_the_first_session_opens_the_account(
    tmp_path: Path, write_installation: Callable[[Path], Path], services_at: ServicesAt
) -> None:
    folder = write_installation(tmp_path / "fresh")
    assert halt_at(folder, services_at, "2021-10-01 08:00") == date(2021, 10, 1)
    with services_at(folder, "2021-10-01 08:10") as services, reading(services.engine) as conn:
        assert [event.kind for event in read_events(conn, "live")] == ["OPENED", "HALTED"]
        account = read_account(conn, "live")
    assert account is not None
    assert account.cash == 1_000_000


def test_the_end_of_a_halt_is_told_and_what_halts_all_the_same(copy: Path, services_at: ServicesAt) -> None:
    with services_at(copy, "2021-10-06 08:00") as untold:
        settings = untold.settings.model_copy(update={"notify": NotifyOptions(urls=("json://127.0.0.1:1",))})
        services, now = replace(untold, settings=settings), untold.clock.now()
        halt(services.engine, settings, now=now, note="gone fishing")
        (copy / "state" / HALT_FILE).touch()
        follow_file(services)
        resume(services.engine, settings, now=now)
        (copy / "state" / HALT_FILE).unlink()
        follow_file(services)
        assert resume(services.engine, settings, now=now).ended == ()
        told = rows(services.engine, "SELECT key, payload FROM outbox WHERE kind = 'resume' ORDER BY key")
    (_, of_command), (_, of_file) = told
    title = "reliance-daemon: resumed, 2021-10-06: KILL_SWITCH is over"
    said = {
        "title": title,
        "body": "nothing is entered all the same: KILL_SWITCH (the halt's reason: gone fishing)",
    }
    assert json.loads(of_command) == said
    assert json.loads(of_file) == {
        "title": title,
        "body": f"positions are opened again (the halt's reason: {FILE_NOTE})",
    }


def test_nobody_who_did_not_ask_hears_that_a_halt_is_over(copy: Path, services_at: ServicesAt) -> None:
    with services_at(copy, "2021-10-06 08:00") as services:
        told = NotifyOptions(urls=("json://127.0.0.1:1",), events=("signal", "halt"))
        settings, now = services.settings.model_copy(update={"notify": told}), services.clock.now()
        halt(services.engine, settings, now=now, note="")
        resume(services.engine, settings, now=now)
        assert rows(services.engine, "SELECT kind FROM outbox") == [("halt",)]


def test_a_backtest_knows_nothing_of_the_kill_switch(copy: Path, services_at: ServicesAt) -> None:
    (copy / "state" / HALT_FILE).touch()
    halt_at(copy, services_at, "2021-10-06 08:00")
    with services_at(copy, "2021-12-31 20:00") as services:
        follow_file(services)
        backtest(services, first=date(2021, 9, 28), last=date(2021, 10, 5))
        live, replayed = (
            rows(services.engine, f"SELECT session, reasons FROM signals WHERE origin = '{origin}'")
            for origin in ("live", "backtest")
        )
    assert live == replayed


def test_the_commands_work_while_the_daemon_does_and_status_tells(copy: Path) -> None:
    run = CliRunner()
    config, now = ["--config", str(copy / "config.toml")], ["--now", "2021-10-06T02:00:00Z"]
    with only_instance(copy / "state"):
        halted = run.invoke(app, [*config, "halt", "--reason", "gone fishing", *now])
        assert halted.exit_code == 0, halted.output
        assert "nothing is entered from session 2021-10-06 on" in halted.output
        shown = run.invoke(app, [*config, "status"])
        assert "Halted: nothing is entered (KILL_SWITCH since 2021-10-06, until `resume`): gone fishing" in shown.output
        (hold,) = json.loads(run.invoke(app, [*config, "status", "--json"]).output)["halts"]
        assert (hold["reason"], hold["note"]) == ("KILL_SWITCH", "gone fishing")
        (copy / "state" / HALT_FILE).touch()
        resumed = run.invoke(app, [*config, "resume", *now])
        assert "resumed: KILL_SWITCH" in resumed.output
        assert "HALT is still there and halts; remove it." in resumed.output
        nothing = run.invoke(app, [*config, "resume", *now])
        assert "nothing was halted by command or drawdown" in nothing.output
    assert json.loads(run.invoke(app, [*config, "status", "--json"]).output)["halts"] == []


def test_a_command_keeps_its_instant_and_the_session_that_it_reaches_first(copy: Path, services_at: ServicesAt) -> None:
    halt_at(copy, services_at, "2021-10-06 12:00")
    with services_at(copy, "2021-10-06 12:00") as services, reading(services.engine) as conn:
        *_, last = read_events(conn, "live")
    assert last.session == date(2021, 10, 7)
    assert last.commanded_at == pd.Timestamp("2021-10-06 12:00", tz="Asia/Kolkata").to_pydatetime().astimezone(UTC)
