"""Health is judged by the ledger, the clock and the settings: what was not done tells all."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from urllib.request import urlopen

import pytest
from prometheus_client.parser import text_string_to_metric_families
from typer.testing import CliRunner

from daemon.cli import app
from daemon.config.settings import Settings
from daemon.errors import DaemonError
from daemon.health.judge import UNHEALTHY, Ill, Ledger, judge
from daemon.health.metrics import served
from daemon.health.metrics_options import MetricsOptions
from daemon.instance import only_instance
from daemon.services import Services
from daemon.sessions.reconcile import reconcile
from storage.quarantine_store import HeldBars
from storage.run_store import Run, RunStatus

ServicesAt = Callable[..., AbstractContextManager[Services]]
DAYS = frozenset(date(2021, 10, day) for day in (1, 4, 5))
LEDGER = Ledger(decided=DAYS, settled=DAYS)
FAILED_AT = datetime(2021, 10, 6, 3, 16, tzinfo=UTC)
FAILED = Run("live", "decide", date(2021, 10, 6), RunStatus.FAILED, FAILED_AT, FAILED_AT, "no route")

NOW = datetime(2021, 10, 5, 16, 30, tzinfo=UTC)


def ills(ledger: Ledger, india: str) -> set[Ill]:
    now = datetime.fromisoformat(f"{india}+05:30").astimezone(UTC)
    health = judge(ledger, Settings(), now)
    assert health.healthy == (not {finding.ill for finding in health.findings} & UNHEALTHY)
    assert all(finding.text.isprintable() for finding in health.findings)
    return {finding.ill for finding in health.findings}


@pytest.mark.parametrize(
    ("india", "expected"),
    [
        ("2021-10-05 22:00", set()),
        ("2021-10-06 08:44", set()),
        ("2021-10-06 09:00", set()),
        ("2021-10-06 09:01", {Ill.OVERDUE}),
        ("2021-10-03 12:00", {Ill.CLOCK}),
        ("1971-10-03 12:00", {Ill.CLOCK}),
        ("9999-12-30 12:00", {Ill.CLOCK}),
    ],
)
def test_a_decision_is_overdue_after_its_grace_and_no_minute_earlier(india: str, expected: set[Ill]) -> None:
    assert ills(LEDGER, india) == expected


@pytest.mark.parametrize(
    ("india", "expected"),
    [
        ("2021-10-05 16:00", set()),
        ("2021-10-05 20:00", {Ill.WAITING}),
        ("2021-10-06 09:00", {Ill.WAITING}),
        ("2021-10-06 09:01", {Ill.OVERDUE}),
    ],
)
def test_a_settlement_waits_until_the_next_session_should_be_decided(india: str, expected: set[Ill]) -> None:
    decided = DAYS | {date(2021, 10, 6)} if india.startswith("2021-10-06") else DAYS
    assert ills(Ledger(decided=decided, settled=DAYS - {date(2021, 10, 5)}), india) == expected


@pytest.mark.parametrize(
    ("india", "expected"),
    [("2021-10-06 08:50", {Ill.RETRYING}), ("2021-10-06 09:02", {Ill.FAILING, Ill.OVERDUE})],
)
def test_a_failure_is_to_be_known_first_and_unhealthy_after_the_grace(india: str, expected: set[Ill]) -> None:
    assert ills(replace(LEDGER, failed=[FAILED]), india) == expected


def test_an_old_failure_of_what_is_not_due_any_more_is_forgotten() -> None:
    old = replace(FAILED, session=date(2021, 9, 1))
    assert ills(replace(LEDGER, failed=[old]), "2021-10-06 08:50") == set()


def test_a_fresh_ledger_is_unhealthy_once_a_session_is_missed() -> None:
    assert ills(Ledger(), "2021-10-06 08:50") == set()
    assert ills(Ledger(), "2021-10-06 09:10") == {Ill.NOTHING_DONE}


def test_the_model_of_an_earlier_month_is_to_be_known() -> None:
    said = replace(LEDGER, speaker=(date(2021, 10, 5), "2021-09"))
    assert ills(said, "2021-10-05 22:00") == {Ill.STAND_IN}
    assert ills(replace(said, speaker=(date(2021, 10, 5), "2021-10")), "2021-10-05 22:00") == set()


def test_the_newest_bars_of_a_traded_symbol_that_are_refused_are_told_with_the_command_that_shows_them() -> None:
    first, last = date(2021, 10, 4), date(2021, 10, 5)
    told = replace(LEDGER, held=[HeldBars("RELIANCE.NS", first, last, ("bad_tick", "new_level"))])
    assert ills(told, "2021-10-05 22:00") == {Ill.HELD_BARS}
    (finding,) = judge(told, Settings(), NOW).findings
    assert finding.text == (
        "bars of RELIANCE.NS 2021-10-04 to 2021-10-05 are refused (bad_tick, new_level); "
        "`bars quarantine list --symbol RELIANCE.NS` shows them"
    )
    elsewhere = replace(LEDGER, held=[HeldBars("NOBODYS.NS", last, last, ("bad_tick",))])
    assert ills(elsewhere, "2021-10-05 22:00") == set()


def test_the_end_of_the_calendar_is_told_before_it_comes() -> None:
    recent = frozenset({date(2026, 11, 30)})
    assert Ill.CALENDAR_ENDS in ills(Ledger(decided=recent, settled=recent), "2026-11-30 22:00")


def invoke(folder: Path, *words: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["--config", str(folder / "config.toml"), *words])
    return result.exit_code, result.output


def test_status_says_how_it_is_and_ends_by_it_while_the_daemon_works(copy: Path) -> None:
    with only_instance(copy / "state"):
        assert invoke(copy, "status", "--now", "2021-10-05T16:00:00Z")[0] == 0
        code, shown = invoke(copy, "status", "--now", "2021-10-06T04:00:00Z")
        assert code == 1
        assert "Not healthy\n  OVERDUE: decide 2021-10-06 not done, due since 2021-10-06 03:15Z" in shown
        code, shown = invoke(copy, "status", "--json", "--now", "2021-10-06T04:00:00Z")
    said = json.loads(shown)
    assert (code, said["healthy"], said["overdue"]) == (1, False, ["decide 2021-10-06"])
    assert [finding["ill"] for finding in said["findings"]] == ["OVERDUE"]


def test_a_monitor_gets_one_line_and_the_code_that_it_knows(copy: Path) -> None:
    code, line = invoke(copy, "status", "--monitor", "--now", "2021-10-05T16:00:00Z")
    assert (code, line.split(" | ")[0]) == (0, "OK - all that was due is done")
    code, line = invoke(copy, "status", "--monitor", "--now", "2021-10-06T04:00:00Z")
    assert (code, line.split(" - ")[0]) == (2, "CRITICAL")
    assert "| overdue=1 failing=0 equity=1" in line
    invoke(copy, "halt", "--reason", "a\nb|c", "--now", "2021-10-05T16:00:00Z")
    code, line = invoke(copy, "status", "--monitor", "--now", "2021-10-05T16:00:00Z")
    assert (code, line.count("\n"), line.count("|")) == (1, 1, 1)
    (copy / "state" / "signals.db").unlink()
    code, line = invoke(copy, "status", "--monitor")
    assert (code, line.split(" - ")[0]) == (3, "UNKNOWN")


def metrics(path: Path) -> dict[tuple[str, ...], float]:
    families = text_string_to_metric_families(path.read_text())
    return {(one.name, *one.labels.values()): one.value for family in families for one in family.samples}


def test_the_metrics_are_what_prometheus_reads_and_what_is_stored(copy: Path, services_at: ServicesAt) -> None:
    with services_at(copy, "2021-10-06 08:50") as services:
        reconcile(services)
        now = services.clock.now().timestamp()
    said = metrics(copy / "state" / "metrics.prom")
    assert said["reliance_daemon_healthy",] == 1
    assert said["reliance_daemon_reconciled_timestamp_seconds",] == now
    assert said["reliance_daemon_last_success_timestamp_seconds", "decide"] == now
    assert said["reliance_daemon_sessions_done", "decide"] == 7
    assert said["reliance_daemon_sessions_overdue", "decide"] == 0
    assert said["reliance_daemon_equity",] > 0
    assert 0 < said["reliance_daemon_forecast_probability", "gap", "AAA.NS"] < 1
    assert [path.name for path in (copy / "state").glob("metrics*")] == ["metrics.prom"]


def test_metrics_that_cannot_be_written_fail_no_session(copy: Path, services_at: ServicesAt) -> None:
    with services_at(copy, "2021-10-06 08:50") as services:
        blocked = services.settings.metrics.model_copy(update={"file": copy / "config.toml" / "x.prom"})
        settings = services.settings.model_copy(update={"metrics": blocked})
        assert len(reconcile(replace(services, settings=settings)).done) == 1


CANARIES = {
    "RELIANCE_DAEMON__NOTIFY__URLS": "json://user:cAnAry1@127.0.0.1:9/cAnAry2?x=cAnAry3",
    "RELIANCE_DAEMON__HEALTH__PING_URL": "http://127.0.0.1:9/cAnAry4",
}


@pytest.mark.parametrize(
    "words",
    [
        ["run-once", "--now", "2021-10-06T03:20:00Z"],
        ["--debug", "run-once", "--now", "2021-10-06T03:20:00Z", "--json"],
        ["status"],
        ["status", "--json"],
        ["status", "--monitor"],
        ["config", "show"],
        ["config", "show", "--json"],
        ["notify", "test"],
    ],
)
def test_a_secret_is_in_no_output_and_in_no_file(words: list[str], copy: Path) -> None:
    program = Path(sys.executable).with_name("reliance-daemon")
    done = subprocess.run(
        [str(program), "--config", str(copy / "config.toml"), *words],
        env=os.environ | CANARIES,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert "cAnAry" not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout
    for path in (copy / "state").rglob("*"):
        assert not path.is_file() or b"cAnAry" not in path.read_bytes(), path


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("NOTIFY__URLS", "cAnAry"),
        ("NOTIFY__URLS", '["x://y", 3, "cAnAry"]'),
        ("HEALTH__PING_URL", "ftp://cAnAry"),
        ("STORAGE__URL", "mysql://me:cAnAry@host/db"),
        ("STORAGE__URL", "postgresql+nosuchdriver://me:cAnAry@host/db"),
    ],
)
def test_a_wrong_secret_is_refused_and_not_shown(key: str, value: str, copy: Path) -> None:
    program = Path(sys.executable).with_name("reliance-daemon")
    done = subprocess.run(
        [str(program), "--config", str(copy / "config.toml"), "run-once", "--now", "2021-10-06T03:20:00Z"],
        env=os.environ | {f"RELIANCE_DAEMON__{key}": value},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode in (1, 78)
    assert done.stderr
    assert "cAnAry" not in done.stdout + done.stderr


def test_a_notification_without_its_package_is_a_mistake_of_the_configuration(copy: Path) -> None:
    code = f"import sys; sys.modules['apprise'] = None; sys.argv = ['x', '--config', {str(copy / 'config.toml')!r}"
    words = [sys.executable, "-c", f"{code}, 'config', 'check']; from daemon.cli import main; main()"]
    done = subprocess.run(words, env=os.environ | CANARIES, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 78
    assert 'install "reliance-daemon[notify]"' in done.stderr


def test_the_port_answers_on_this_machine_alone(copy: Path, services_at: ServicesAt) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with services_at(copy, "2021-10-06 08:50") as services:
        settings = services.settings.model_copy(update={"metrics": MetricsOptions(port=port)})
        reconcile(services)
        with served(services.page, settings):
            with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as page:
                assert b"reliance_daemon_healthy 1.0" in page.read()
            with pytest.raises(DaemonError, match=rf"metrics.port was {port}"), served(services.page, settings):
                pass
