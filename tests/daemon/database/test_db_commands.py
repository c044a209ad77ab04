"""`db check`, `backup`, `restore` and `upgrade`, each in a process of its own."""

import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from daemon.instance import only_instance
from storage.backups import backups_in
from storage.migrations import HEAD_REVISION
from storage.sqlite_file import damage_of, opened
from tests.daemon.old_schema import back_to_0008

PROGRAM = Path(sys.executable).with_name("reliance-daemon")


def call(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    words = [str(PROGRAM), "--config", str(folder / "config.toml"), *arguments]
    return subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)


def refused(result: "subprocess.CompletedProcess[str]", code: int) -> str:
    """The one line that a refused command ends with."""
    assert result.returncode == code, result.stderr
    assert "Traceback" not in result.stderr
    return result.stderr.splitlines()[-1]


def configure(folder: Path, table: str) -> None:
    path = folder / "config.toml"
    path.write_text(path.read_text() + table)


def settled(database: Path) -> str:
    with opened(database) as connection:
        (session,) = connection.execute("SELECT max(session) FROM account WHERE origin = 'live'").fetchone()
    return str(session)


@contextmanager
def daemon_at_work(folder: Path) -> Iterator[None]:
    """Another process has the lock, and a transaction open."""
    with (
        only_instance(folder / "state"),
        closing(sqlite3.connect(folder / "state" / "signals.db", isolation_level=None)) as writer,
    ):
        writer.execute("BEGIN IMMEDIATE")
        yield


def test_a_database_in_order_passes_also_while_the_daemon_works(copy: Path) -> None:
    with daemon_at_work(copy):
        done = call(copy, "db", "check")
        told = json.loads(call(copy, "db", "check", "--json").stdout)
    assert done.returncode == 0, done.stderr
    assert f"whole, schema {HEAD_REVISION}, every account as its events make it" in done.stdout
    assert (told["passes"], told["faults"]) == (True, [])


def test_each_fault_is_a_line_with_its_remedy_and_exit_code_one(copy: Path) -> None:
    with closing(sqlite3.connect(copy / "state" / "signals.db")) as other, other:
        other.execute("UPDATE account SET cash = cash + 5")
    done = call(copy, "db", "check")
    assert done.returncode == 1
    (line,) = done.stdout.splitlines()
    assert "the live account's cash was kept as" in line
    assert "db restore FILE" in line
    told = json.loads(call(copy, "db", "check", "--json").stdout)
    assert (told["passes"], len(told["faults"]), set(told["faults"][0])) == (False, 1, {"seen", "remedy"})


@pytest.mark.slow
def test_a_backup_is_made_while_the_daemon_works_and_told(copy: Path) -> None:
    with daemon_at_work(copy):
        done = call(copy, "db", "backup", "--json")
    told = json.loads(done.stdout)
    assert told["session"] == "2021-10-05"
    assert settled(Path(told["path"])) == "2021-10-05"
    assert ", settled to 2021-10-05, checked" in call(copy, "db", "backup").stdout


@pytest.mark.slow
def test_backups_go_where_they_are_told_to(copy: Path) -> None:
    configure(copy, '\n[storage]\nbackup_dir = "elsewhere"\nbackups_kept = 1\n')
    for _ in range(2):
        assert call(copy, "db", "backup").returncode == 0
    assert len(backups_in(copy / "elsewhere")) == 1


def test_a_restore_puts_the_backup_in_place_and_the_sessions_after_it_are_done_again(copy: Path) -> None:
    backup = backups_in(copy / "state" / "backups")[1]
    assert str(backup.session) == "2021-10-04"
    done = call(copy, "db", "restore", str(backup.path))
    assert done.returncode == 0, done.stderr
    assert settled(copy / "state" / "signals.db") == "2021-10-04"
    (aside,) = (copy / "state").glob("signals.db.before-restore-*")
    assert str(aside) in done.stdout
    assert settled(aside) == "2021-10-05"
    again = call(copy, "run-once", "--now", "2021-10-05T13:00:00Z", "--json")
    assert json.loads(again.stdout)["done"] == ["decide 2021-10-05", "settle 2021-10-05"]
    assert call(copy, "db", "check").returncode == 0


def test_a_restore_waits_for_nobody_and_takes_nothing_from_a_daemon_at_work(copy: Path) -> None:
    backup = backups_in(copy / "state" / "backups")[1].path
    with daemon_at_work(copy):
        assert "already works on" in refused(call(copy, "db", "restore", str(backup)), 75)
    assert settled(copy / "state" / "signals.db") == "2021-10-05"


def test_a_restore_of_something_else_is_one_line_and_changes_nothing(copy: Path) -> None:
    for name, expected in (("config.toml", "take an older one"), ("gone.db", "was not found")):
        assert expected in refused(call(copy, "db", "restore", str(copy / name)), 1)
    assert settled(copy / "state" / "signals.db") == "2021-10-05"


def test_an_upgrade_is_explicit_backed_up_and_done_once(copy: Path) -> None:
    database = copy / "state" / "signals.db"
    with closing(sqlite3.connect(database)) as old, old:
        back_to_0008(old)
    assert "`reliance-daemon db upgrade` upgrades it" in refused(call(copy, "status"), 1)
    with daemon_at_work(copy):
        refused(call(copy, "db", "upgrade"), 75)
    done = call(copy, "db", "upgrade")
    assert f"was upgraded to schema {HEAD_REVISION}; as it was it is " in done.stdout
    with opened(Path(done.stdout.strip().rpartition(" ")[2])) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchone() == ("0008",)
    assert "already" in call(copy, "db", "upgrade").stdout


def test_an_upgrade_that_can_not_be_backed_up_is_not_made(copy: Path) -> None:
    with closing(sqlite3.connect(copy / "state" / "signals.db")) as old, old:
        back_to_0008(old)
    configure(copy, '\n[storage]\nbackup_dir = "config.toml"\n')
    assert "was not backed up to" in refused(call(copy, "db", "upgrade"), 1)
    with opened(copy / "state" / "signals.db") as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchone() == ("0008",)


@pytest.mark.parametrize("arguments", [("backup",), ("restore", "config.toml")])
def test_a_servers_database_is_backed_up_by_its_own_tools(copy: Path, arguments: tuple[str, ...]) -> None:
    (copy / "config.toml").chmod(0o600)
    configure(copy, '\n[storage]\nurl = "postgresql://daemon:hidden@localhost/signals"\n')
    line = refused(call(copy, "db", *arguments), 1)
    assert "pg_dump and pg_restore" in line
    assert "hidden" not in line


def test_the_daemon_starts_on_a_damaged_database_and_goes_on_from_the_backup(copy: Path) -> None:
    database = copy / "state" / "signals.db"
    database.write_bytes(database.read_bytes()[:-5000])
    done = call(copy, "run-once", "--now", "2021-10-06T03:20:00Z")
    assert done.returncode == 0, done.stderr
    assert "decide 2021-10-06" in done.stderr
    (line,) = [line for line in done.stderr.splitlines() if "damaged" in line]
    assert "the backup signals-2021-10-05-at-20211005T113000Z.db took its place" in line
    assert line in (copy / "state" / "reliance-daemon.log").read_text()
    assert damage_of(database) is None
