"""The installed unit under a real systemd: it starts, works, dies, hangs and stops as docs/service.md says."""

import json
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ensemble.sessions import load_calendar
from tests.systemd.machine import VENV, Machine, booted, why_not

pytestmark = [pytest.mark.systemd, pytest.mark.timeout(600)]

UNIT = "reliance-daemon"
STATE = "/var/lib/reliance-daemon"
CONFIG = """
[market]
symbols = ["AAA.NS"]
peers = ["BBB.NS"]
context = {}
history_start = 2022-01-03

[feed]
provider = "files"
files = { path = "/srv/bars" }
timeout_s = 2

[schedule]
poll_s = 1

[ensemble]
window_years = 2
min_sessions = 300
stack = { train_months = 1, gate_months = 1 }
members = [
  { name = "small", units = [4], sequence_steps = 10, warmup_steps = 2, max_epochs = 2 },
  { preset = "logit" },
  { preset = "lightgbm", rounds = 5 },
]

[workers]
processes = 1

[storage]
state_dir = "/var/lib/reliance-daemon"
"""
AWAY = "/srv/bars-away"
LOCKER = f"""
import sqlite3, time
database = sqlite3.connect("{STATE}/signals.db")
database.execute("BEGIN IMMEDIATE")
time.sleep(120)
"""


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """Booted, and installed twice over: the second time changes nothing."""
    reason = why_not()
    if reason:
        pytest.skip(reason)
    files = {"etc/reliance-daemon/config.toml": CONFIG} | {
        f"srv/bars/{symbol}.csv": bars(seed) for seed, symbol in enumerate(("AAA.NS", "BBB.NS"))
    }
    with booted(tmp_path_factory.mktemp("machine"), files) as machine:
        for _ in range(2):
            said = machine.run("sh", "/srv/reliance-daemon/systemd/install.sh", "--keep-venv")
        print(said)
        yield machine


def bars(seed: int) -> str:
    """Made-up bars of every NSE session from 2022 to yesterday, as the feed `files` reads them."""
    random = np.random.default_rng(seed)
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    days = load_calendar("XNSE", first=datetime(2022, 1, 3, tzinfo=UTC).date(), last=yesterday).sessions
    close = 100 * np.exp(np.cumsum(random.normal(0, 0.01, len(days))))
    opened = close * np.exp(random.normal(0, 0.004, len(days)))
    high, low = np.maximum(opened, close) * 1.002, np.minimum(opened, close) / 1.002
    columns = {"Open": opened, "High": high, "Low": low, "Close": close, "Adj Close": close, "Volume": 1000.0}
    table = pd.DataFrame(columns, index=days).round(4)
    return str(table.to_csv(index_label="Date", date_format="%Y-%m-%d"))


def shown(machine: Machine, *names: str) -> list[str]:
    """Properties of the unit."""
    told = machine.run("systemctl", "show", UNIT, *(f"-p{name}" for name in names))
    values = dict(line.split("=", 1) for line in told.splitlines())
    return [values[name] for name in names]


def is_active(machine: Machine) -> bool:
    return shown(machine, "ActiveState")[0] == "active"


def main_pid(machine: Machine) -> int:
    return int(shown(machine, "MainPID")[0])


def journal(machine: Machine, since: float) -> str:
    return machine.run("journalctl", "-u", UNIT, "-o", "cat", "--since", f"@{since:.3f}", check=False)


def runs(machine: Machine) -> list[dict[str, str]]:
    """The newest of the ledger; none while there is no database."""
    told = machine.run("runuser", "-u", UNIT, "--", "/usr/local/bin/reliance-daemon", "status", "--json", check=False)
    return list(json.loads(told)["runs"]) if told.startswith("{") else []


def decided(machine: Machine) -> bool:
    return any(run["kind"] == "decide" and run["status"] == "done" for run in runs(machine))


def started(machine: Machine, *, fresh: bool = False, models: bool = True) -> float:
    """The instant from which on it was started; with `fresh`, with an empty ledger, and models or none."""
    machine.run("systemctl", "stop", UNIT)
    machine.run("systemctl", "reset-failed", UNIT, check=False)
    if fresh:
        kept = "" if models else f"{STATE}/models "
        machine.run("sh", "-c", f"rm -rf {kept}{STATE}/signals.db*")
    since = time.time()
    machine.run("systemctl", "start", UNIT)
    return since


def at_host(machine: Machine, pid: int) -> int:
    """The process as this machine counts, found by what it is inside the container."""
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            words = re.search(r"^NSpid:(.*)$", status.read_text(), re.MULTILINE)
            same = status.parent.joinpath("ns/pid").stat().st_ino == Path(f"/proc/{machine.init}/ns/pid").stat().st_ino
        except OSError:
            continue
        if same and words is not None and int(words[1].split()[-1]) == pid:
            return int(status.parent.name)
    raise AssertionError(f"no process {pid} in the container")


def test_it_is_ready_once_it_has_tested_itself_and_tells_its_next_wake(machine: Machine) -> None:
    started(machine)
    state, sub, status = shown(machine, "ActiveState", "SubState", "StatusText")
    assert (state, sub) == ("active", "running")
    machine.wait_for(lambda: "next wake" in shown(machine, "StatusText")[0], within_s=180)
    print(status, machine.run("systemctl", "status", "--no-pager", "--full", UNIT, check=False), sep="\n")


def test_it_trains_and_decides_a_session_in_its_sandbox(machine: Machine) -> None:
    took_s = machine.wait_for(lambda: decided(machine), within_s=240)
    assert "no forecast" not in json.dumps(runs(machine)).lower()
    print(f"decided after {took_s:.0f} s", json.dumps(runs(machine), indent=1), sep="\n")


def test_its_exposure_is_at_most_one_and_a_half(machine: Machine) -> None:
    told = machine.run("systemd-analyze", "security", "--no-pager", "--threshold=15", UNIT)
    print(told.splitlines()[-1])
    assert "Overall exposure level" in told


def test_an_idle_daemon_holds_less_than_150_megabytes_of_its_own(machine: Machine) -> None:
    """After a session and a training. What it maps of its libraries' files the kernel drops when memory is short."""
    status = Path(f"/proc/{at_host(machine, main_pid(machine))}/status").read_text()
    mb = {name: int(kb) // 1024 for name, kb in re.findall(r"(VmRSS|RssAnon|RssFile):\s+(\d+) kB", status)}
    print(
        f"idle daemon: {mb['RssAnon']} MB of its own, {mb['RssFile']} MB mapped from files, {mb['VmRSS']} MB resident"
    )
    assert mb["RssAnon"] < 150


def test_killed_it_is_started_again_and_does_nothing_twice(machine: Machine) -> None:
    before, pid = runs(machine), main_pid(machine)
    machine.run("kill", "-KILL", f"{pid}")
    took_s = machine.wait_for(
        lambda: shown(machine, "ActiveState")[0] == "active" and main_pid(machine) not in (0, pid)
    )
    machine.wait_for(lambda: "next wake" in shown(machine, "StatusText")[0])
    assert runs(machine) == before
    print(f"killed, and ready again after {took_s:.1f} s; NRestarts={shown(machine, 'NRestarts')[0]}")


def test_it_reloads_a_configuration_and_keeps_the_old_one_where_the_new_is_wrong(machine: Machine) -> None:
    since = started(machine)
    for text, expected in (
        (CONFIG + "\n[risk]\nstop_loss_pct = 3\n", "configuration reloaded: changed risk.stop_loss_pct"),
        (CONFIG + "\n[risk]\nstop_loss_pct = 300\n", "the old one stays in force: risk.stop_loss_pct was 300"),
        (CONFIG.replace(STATE, "/tmp/other"), "storage.state_dir can only change with a restart"),
        (CONFIG, "configuration reloaded: changed risk.stop_loss_pct"),
    ):
        machine.write("/etc/reliance-daemon/config.toml", text)
        machine.run("systemctl", "reload", UNIT)
        machine.wait_for(lambda expected=expected: expected in journal(machine, since))  # type: ignore[misc]
    assert shown(machine, "ActiveState", "NRestarts") == ["active", "0"]
    print(*(line for line in journal(machine, since).splitlines() if "configuration" in line), sep="\n")


def test_a_wrong_configuration_is_exit_78_and_stays_down(machine: Machine) -> None:
    machine.run("systemctl", "stop", UNIT)
    machine.write("/etc/reliance-daemon/config.toml", CONFIG + "\n[risk]\nposition_pct = 140\n")
    since = time.time()
    machine.run("systemctl", "start", UNIT, check=False)
    time.sleep(12)  # longer than RestartSec
    state, code, restarts = shown(machine, "ActiveState", "ExecMainStatus", "NRestarts")
    line = next(line for line in journal(machine, since).splitlines() if "position_pct" in line)
    print(state, code, f"NRestarts={restarts}", line)
    machine.write("/etc/reliance-daemon/config.toml", CONFIG)
    assert (state, code, restarts) == ("failed", "78", "0")


def test_while_another_instance_works_it_is_tried_again_until_it_gets_its_turn(machine: Machine) -> None:
    machine.run("systemctl", "stop", UNIT)
    holder = f"exec 9>>{STATE}/lock; flock 9; echo 4711 >{STATE}/lock; sleep 6"
    machine.run("systemd-run", "--unit=holder", "--uid=reliance-daemon", "sh", "-c", holder)
    time.sleep(1)
    since = time.time()
    machine.run("systemctl", "start", UNIT, check=False)
    assert shown(machine, "ExecMainStatus")[0] == "75"
    machine.wait_for(lambda: shown(machine, "ActiveState")[0] == "active")
    print(next(line for line in journal(machine, since).splitlines() if "already works" in line))


def test_a_reconciliation_that_hangs_is_ended_by_the_watchdog_and_started_again(machine: Machine) -> None:
    machine.write(f"/etc/systemd/system/{UNIT}.service.d/test.conf", "[Service]\nWatchdogSec=10\n")
    machine.run("systemctl", "daemon-reload")
    machine.run("mv", "/srv/bars", AWAY)
    since = started(machine, fresh=True)  # no bars: it waits, with nothing in the ledger
    machine.write("/srv/locker.py", LOCKER)
    machine.run("systemd-run", "--unit=locker", "--uid=reliance-daemon", f"/{VENV}/bin/python", "/srv/locker.py")
    machine.run("mv", AWAY, "/srv/bars")  # now it reads them, and waits in vain for the database
    took_s = machine.wait_for(lambda: "Watchdog timeout" in journal(machine, since))
    machine.run("systemctl", "stop", "locker", check=False)
    machine.wait_for(lambda: decided(machine), within_s=120)
    said = journal(machine, since)
    assert "Current thread" in said  # where it hung is told
    assert "daemon/bars/ingest.py" in said
    print(f"ended after {took_s:.0f} s", *(line for line in said.splitlines() if "atchdog" in line), sep="\n")


def test_told_to_stop_while_it_waits_for_a_locked_database_the_kernel_ends_it_in_time(machine: Machine) -> None:
    machine.run("rm", f"/etc/systemd/system/{UNIT}.service.d/test.conf")
    machine.run("systemctl", "daemon-reload")
    machine.run("mv", "/srv/bars", AWAY)
    since = started(machine, fresh=True)
    machine.run("systemd-run", "--unit=locker", "--uid=reliance-daemon", f"/{VENV}/bin/python", "/srv/locker.py")
    machine.run("mv", AWAY, "/srv/bars")
    time.sleep(5)  # now it waits where no signal reaches it
    began = time.monotonic()
    machine.run("systemctl", "stop", UNIT)
    took_s = time.monotonic() - began
    machine.run("systemctl", "stop", "locker", check=False)
    print(f"stopped in {took_s:.1f} s:", *shown(machine, "Result", "ExecMainCode", "ExecMainStatus"))
    assert took_s < 29
    assert shown(machine, "Result") == ["success"], journal(machine, since)


def test_a_training_longer_than_the_watchdog_waits_is_let_live(machine: Machine) -> None:
    machine.write(f"/etc/systemd/system/{UNIT}.service.d/test.conf", "[Service]\nWatchdogSec=40\n")
    machine.run("systemctl", "daemon-reload")
    slow = CONFIG.replace("units = [4]", "units = [1000, 1000, 1000]").replace("max_epochs = 2", "max_epochs = 500")
    machine.write("/etc/reliance-daemon/config.toml", slow)
    since = started(machine, fresh=True, models=False)
    machine.wait_for(lambda: "training the models" in journal(machine, since))
    pid = main_pid(machine)
    time.sleep(50)
    assert (main_pid(machine), is_active(machine)) == (pid, True)
    assert "model 2" not in journal(machine, since)  # it still trains
    print("a training of 50 s outlived a watchdog of 40 s, by its progress")


def test_told_to_stop_in_the_middle_of_a_training_it_ends_within_30_seconds_with_its_children(machine: Machine) -> None:
    began = time.monotonic()
    machine.run("systemctl", "stop", UNIT)
    took_s = time.monotonic() - began
    result, state = shown(machine, "Result", "ActiveState")
    left = machine.run("pgrep", "-u", UNIT, check=False)
    machine.run("rm", f"/etc/systemd/system/{UNIT}.service.d/test.conf")
    machine.run("systemctl", "daemon-reload")
    machine.write("/etc/reliance-daemon/config.toml", CONFIG)
    print(f"stopped in {took_s:.1f} s")
    assert (result, state, left) == ("success", "inactive", "")
    assert took_s < 30


def test_when_memory_runs_out_the_training_dies_and_the_daemon_lives(machine: Machine) -> None:
    machine.run("mv", "/srv/bars", AWAY)
    since = started(machine, fresh=True, models=False)  # no bars yet: it waits
    pid = main_pid(machine)
    with machine.short_of_memory(spare_mb=70):
        machine.run("mv", AWAY, "/srv/bars")
        machine.wait_for(lambda: "for want of memory" in journal(machine, since), within_s=180)
        assert (main_pid(machine), shown(machine, "ActiveState")[0]) == (pid, "active")
    machine.wait_for(lambda: decided(machine), within_s=240)  # with memory again it trains what was missing
    assert main_pid(machine) == pid
    print(next(line for line in journal(machine, since).splitlines() if "for want of memory" in line))


def test_uninstalling_takes_the_program_and_leaves_what_was_decided(machine: Machine) -> None:
    machine.run("umount", "--lazy", "/opt/reliance-daemon/packages")  # borrowed, and read-only
    said = machine.run("sh", "/srv/reliance-daemon/systemd/uninstall.sh")
    print(said)
    assert "not-found" in shown(machine, "LoadState")[0]
    machine.run("test", "-s", f"{STATE}/signals.db")
    machine.run("test", "-s", "/etc/reliance-daemon/config.toml")
