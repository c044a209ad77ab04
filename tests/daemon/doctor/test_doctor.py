"""Each thing that can be wrong is found, named, and given a remedy; what is in order is not complained about."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

from daemon.config.settings import Settings, StorageOptions
from daemon.console.log import FILE_NAME, LogOptions
from daemon.doctor.examination import examine
from daemon.doctor.finding import Finding
from daemon.doctor.installation import library_finding, owner_finding, python_finding
from daemon.doctor.machine import calendar_end_finding, clock_finding, room_finding, unit_state_finding
from daemon.doctor.market import age_finding
from daemon.doctor.state import backup_finding, log_finding, rights_finding
from daemon.instance import only_instance
from storage.backups import back_up, backups_in
from storage.engine import open_store, transaction

EVENING = datetime(2021, 10, 5, 16, tzinfo=UTC)
"""After the last session that `lived` has settled."""


def looked(folder: Path, now: datetime = EVENING, *, ask_feed: bool = False) -> dict[str, Finding]:
    findings = list(examine(folder / "config.toml", now, ask_feed=ask_feed))
    assert len({finding.check for finding in findings}) == len(findings)
    for finding in findings:
        assert (finding.remedy == "") == (finding.level == "ok"), finding
        assert "\n" not in finding.seen + finding.remedy
    return {finding.check: finding for finding in findings}


def files_of(folder: Path) -> dict[Path, tuple[bytes, int]]:
    """All but what SQLite needs for its locks."""
    files = [path for path in folder.rglob("*") if path.is_file() and not path.name.endswith(("-shm", "-wal"))]
    return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


def test_all_is_well_where_all_is_well_and_nothing_is_written(copy: Path) -> None:
    (copy / "state").chmod(0o700)
    before = files_of(copy)
    found = looked(copy, ask_feed=True)
    assert files_of(copy) == before
    # The machine that runs the tests may have other libraries and a disk that is nearly full.
    own = {check: finding for check, finding in found.items() if check not in ("libraries", "disk", "unit")}
    assert {finding.level for finding in own.values()} == {"ok"}, own
    assert set(found) == {
        *("installation", "python", "libraries", "configuration", "rights", "database", "backups", "clock", "feed"),
        *("context", "sessions", "models", "calendar", "disk", "log", "unit", "feed answer", "cloud"),
    }
    assert "signals.db: whole, schema" in found["database"].seen
    assert "serves 2021-10" in found["models"].seen
    assert "the newest of session 2021-10-05" in found["backups"].seen


def test_it_looks_while_the_daemon_works(copy: Path) -> None:
    engine = open_store(f"sqlite:///{copy / 'state' / 'signals.db'}")
    with only_instance(copy / "state"), transaction(engine):
        assert looked(copy)["database"].level == "ok"
    engine.dispose()


def test_a_fresh_installation_is_warned_and_does_not_fail(
    tmp_path: Path, write_installation: Callable[[Path], Path]
) -> None:
    found = looked(write_installation(tmp_path / "fresh"))
    assert {found[check].level for check in ("rights", "database")} == {"warn"}
    assert "run-once" in found["database"].remedy
    assert "models" not in found
    assert not (tmp_path / "fresh" / "state").exists()


def test_a_wrong_configuration_is_a_finding_and_ends_the_look(copy: Path) -> None:
    (copy / "config.toml").write_text("[risk]\nposition_pct = 140\n")
    found = looked(copy)
    assert found["configuration"].level == "fail"
    assert found["configuration"].seen == "risk.position_pct was 140"
    assert "database" not in found


def test_a_damaged_database_is_a_failure_and_the_rest_is_looked_at(copy: Path) -> None:
    database = copy / "state" / "signals.db"
    database.write_bytes(database.read_bytes()[:20_000])
    found = looked(copy)
    assert found["database"].level == "fail"
    assert found["clock"].level == "ok"
    assert "models" not in found


def test_a_missing_database_with_backups_is_a_failure_and_names_the_newest(copy: Path) -> None:
    (copy / "state" / "signals.db").unlink()
    found = looked(copy)
    assert found["database"].level == "fail"
    assert f"db restore {backups_in(copy / 'state' / 'backups')[0].path}" in found["database"].remedy


def test_a_model_that_is_damaged_or_missing_is_named(copy: Path) -> None:
    part = next(path for path in (copy / "state" / "models" / "parts").rglob("*.npz"))
    for path in (copy / "state" / "models" / "parts").rglob("*.npz"):
        path.write_bytes(b"x")
    assert "checksum" in looked(copy)["models"].seen
    shutil.rmtree(part.parent)
    assert looked(copy)["models"].level == "warn"
    (copy / "config.toml").write_text((copy / "config.toml").read_text().replace("rounds = 5", "rounds = 6"))
    assert "none of 2021-10 by this configuration" in looked(copy)["models"].seen


def test_a_feed_that_gives_nothing_fails_when_asked(copy: Path) -> None:
    (copy / "bars" / "AAA.NS.csv").unlink()
    found = looked(copy, ask_feed=True)
    assert found["feed answer"].level == "fail"
    assert found["feed"].level == "ok"


@pytest.mark.parametrize(
    ("days", "level", "behind"),
    [(0, "ok", "none is missing"), (1, "warn", "1 session behind"), (3, "fail", "3 sessions")],
)
def test_bars_that_stay_away_are_counted_in_sessions(days: int, level: str, behind: str) -> None:
    newest = {"RELIANCE.NS": pd.Timestamp("2021-10-05")}
    found = age_finding(Settings(), newest, EVENING + timedelta(days=days))
    assert (found.level, behind in found.seen) == (level, True)


def test_a_weekend_is_no_gap_in_the_bars() -> None:
    newest = {"RELIANCE.NS": pd.Timestamp("2021-10-08")}
    assert age_finding(Settings(), newest, datetime(2021, 10, 10, 12, tzinfo=UTC)).level == "ok"


OWN = ["/venv/daemon/__init__.py", "/venv/ensemble/__init__.py", "/venv/storage/__init__.py"]


@pytest.mark.parametrize(
    ("distributions", "files", "level", "word"),
    [
        ({}, OWN, "ok", "/venv"),
        ({"daemon": ["reliance-daemon"], "storage": ["reliance-daemon"]}, OWN, "ok", "/venv"),
        ({"daemon": ["python-daemon"]}, OWN, "fail", "python-daemon"),
        ({"storage": ["reliance-daemon", "storage"]}, OWN, "fail", "storage"),
        ({}, [*OWN[:2], "/elsewhere/storage/__init__.py"], "fail", "/elsewhere and /venv"),
    ],
)
def test_the_module_names_belong_to_this_program_alone(
    distributions: Mapping[str, Sequence[str]], files: Sequence[str], level: str, word: str
) -> None:
    found = owner_finding(distributions, files)
    assert (found.level, word in found.seen) == (level, True)


@pytest.mark.parametrize(
    ("version", "level"), [((3, 10, 9), "fail"), ((3, 11, 0), "ok"), ((3, 13, 5), "ok"), ((3, 14, 0), "fail")]
)
def test_a_python_that_the_tests_do_not_run_with_fails(version: tuple[int, int, int], level: str) -> None:
    assert python_finding(version).level == level


LOCK = "numpy==2.4.1 \\\n    --hash=sha256:00\nscipy==1.17.0 ; python_version < '3.12' \\\nscipy==1.18.0 \\\n"


@pytest.mark.parametrize(
    ("installed", "required", "lock", "level", "word"),
    [
        ({"numpy": "2.4.1", "scipy": "1.18.0"}, ["numpy>=2.4"], LOCK, "ok", "2 as locked"),
        ({"numpy": "2.4.1"}, ["numpy>=2.4"], "", "ok", "no lock"),
        ({"numpy": "2.5.0", "scipy": "1.17.0"}, ["numpy>=2.4"], LOCK, "warn", "numpy 2.5.0, not 2.4.1"),
        ({"numpy": "2.4.1"}, ["numpy>=2.4", "scipy>=1"], LOCK, "fail", "not installed: scipy"),
        ({"numpy": "2.4.1"}, ["numpy>=2.4", "distributed>=1; extra == 'dask'"], LOCK, "ok", "1 as locked"),
    ],
)
def test_libraries_are_compared_with_the_lock(
    installed: dict[str, str], required: Sequence[str], lock: str, level: str, word: str
) -> None:
    found = library_finding(installed.get, required, lock)
    assert (found.level, word in found.seen) == (level, True)


@pytest.mark.parametrize(
    ("now", "newest_bar", "level"),
    [
        (EVENING, date(2021, 10, 5), "ok"),
        (EVENING, None, "ok"),
        (EVENING, date(2021, 10, 6), "fail"),
        (datetime(1970, 1, 1, tzinfo=UTC), None, "fail"),
        (datetime(2199, 1, 1, tzinfo=UTC), None, "fail"),
    ],
)
def test_a_clock_that_cannot_be_right_fails(now: datetime, newest_bar: date | None, level: str) -> None:
    assert clock_finding(now, ["XNSE", "XNYS"], newest_bar).level == level


def test_missing_time_zone_data_is_found(tmp_path: Path) -> None:
    program = (
        "import sys; sys.modules['tzdata'] = None\n"
        "from datetime import UTC, datetime; from daemon.doctor.machine import clock_finding\n"
        "print(clock_finding(datetime(2021, 10, 5, tzinfo=UTC), ['XNSE'], None))"
    )
    environment = os.environ | {"PYTHONTZPATH": str(tmp_path)}
    words = [sys.executable, "-c", program]
    root = Path(__file__).parents[3]
    said = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=60, check=True, cwd=root)
    assert "no time zone data for Asia/Kolkata" in said.stdout


@pytest.mark.parametrize(
    ("end", "level", "word"),
    [
        (None, "ok", "without an end"),
        (date(2021, 12, 4), "ok", "until 2021-12-04"),
        (date(2021, 12, 3), "warn", "in 59 days"),
        (date(2021, 10, 4), "warn", "ended on 2021-10-04"),
    ],
)
def test_the_calendars_end_is_told_two_months_before(end: date | None, level: str, word: str) -> None:
    found = calendar_end_finding("XNSE", end, EVENING.date())
    assert (found.level, word in found.seen) == (level, True)


@pytest.mark.parametrize(
    ("free", "database", "level"),
    [(5e9, 1e6, "ok"), (1e9, 1e6, "warn"), (1e8, 1e6, "fail"), (3e9, 1e9, "warn"), (1.9e9, 1e9, "fail")],
)
def test_room_is_measured_by_what_a_backup_takes(free: float, database: float, level: str) -> None:
    assert room_finding(Path("/var"), free, int(database)).level == level


@pytest.mark.parametrize(
    ("state", "level", "word"),
    [
        ("loaded active enabled", "ok", ""),
        ("loaded active disabled", "warn", "systemctl enable"),
        ("loaded inactive enabled", "warn", "systemctl start"),
        ("loaded failed enabled", "fail", "journalctl"),
        ("bad-setting inactive enabled", "fail", "journalctl"),
        ("not-found inactive ", "warn", "docs/service.md"),
        ("", "warn", "docs/service.md"),
    ],
)
def test_the_unit_is_judged_by_what_systemd_says(state: str, level: str, word: str) -> None:
    found = unit_state_finding(dict(zip(("LoadState", "ActiveState", "UnitFileState"), state.split(), strict=False)))
    assert (found.level, word in found.remedy) == (level, True)


@pytest.fixture
def storage(tmp_path: Path) -> StorageOptions:
    options = StorageOptions(state_dir=tmp_path / "state")
    open_store(options.database_url).dispose()
    options.state_dir.chmod(0o700)
    return options


@pytest.mark.parametrize(
    ("name", "mode", "level", "word"),
    [
        ("state", 0o700, "ok", ""),
        ("state", 0o750, "ok", ""),
        ("state", 0o755, "warn", "chmod o-rwx"),
        ("state", 0o777, "fail", "chmod o-w"),
        ("state/signals.db", 0o666, "fail", "chmod o-w"),
        ("config.toml", 0o646, "fail", "chmod o-w"),
        ("config.toml", 0o644, "ok", ""),
    ],
)
def test_rights_that_are_too_wide_are_found(
    storage: StorageOptions, tmp_path: Path, name: str, mode: int, level: str, word: str
) -> None:
    config = tmp_path / "config.toml"
    config.touch(0o600)
    (tmp_path / name).chmod(mode)
    found = rights_finding(config, storage)
    assert (found.level, word in found.remedy) == (level, True)


@pytest.mark.parametrize(
    ("name", "mode", "level", "word"),
    [
        ("", 0o700, "ok", ""),
        ("", 0o755, "warn", "chmod o-rwx"),
        ("", 0o777, "fail", "chmod o-w"),
        (FILE_NAME, 0o646, "fail", "chmod o-w"),
    ],
)
def test_the_folder_of_the_log_is_looked_at_too(
    storage: StorageOptions, tmp_path: Path, name: str, mode: int, level: str, word: str
) -> None:
    folder = tmp_path / "log"
    folder.mkdir(0o700)
    (folder / FILE_NAME).touch(0o600)
    (folder / name).chmod(mode)
    found = log_finding(LogOptions(folder=folder), storage.state_dir)
    assert (found.level, word in found.remedy) == (level, True)
    assert str(folder) in found.seen
    assert log_finding(LogOptions(), storage.state_dir).level == "ok"


def test_a_log_folder_that_is_none_or_has_no_room_is_told(storage: StorageOptions, tmp_path: Path) -> None:
    folder = tmp_path / "log"
    assert log_finding(LogOptions(folder=folder), storage.state_dir).level == "warn"
    folder.touch()
    assert log_finding(LogOptions(folder=folder), storage.state_dir).level == "fail"
    assert log_finding(LogOptions(folder=folder, file=False), storage.state_dir).level == "ok"
    endless = LogOptions().model_copy(update={"rotation_mb": 1e12})  # more than any disk that this runs on has
    full = log_finding(endless, storage.state_dir)
    assert (full.level, "log.rotation_mb" in full.seen) == ("warn", True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_another_user_is_told_whose_the_state_is(storage: StorageOptions) -> None:
    with tempfile.TemporaryDirectory() as name:  # pytest's own folder is closed to others
        Path(name).chmod(0o755)
        shared = Path(shutil.copytree(storage.state_dir, Path(name) / "state"))
        shared.chmod(0o755)
        os.seteuid(65534)
        try:
            found = rights_finding(None, StorageOptions(state_dir=shared))
        finally:
            os.seteuid(0)
    assert (found.level, found.remedy) == ("warn", "look as root, whose folder it is.")


def test_backups_that_are_missing_old_damaged_or_off_are_told(storage: StorageOptions) -> None:
    settled = date(2021, 10, 5)
    assert backup_finding(storage, None).level == "ok"
    assert backup_finding(storage, settled).level == "warn"
    made = back_up(storage.state_dir / "signals.db", storage.backups, at=EVENING, keep=7)
    assert backup_finding(storage, None).level == "ok"
    assert "has settled 2021-10-05" in backup_finding(storage, settled).seen
    assert "backups_kept is 0" in backup_finding(storage.model_copy(update={"backups_kept": 0}), None).seen
    made.path.write_bytes(made.path.read_bytes()[:9000])
    assert backup_finding(storage, None).level == "fail"
    server = StorageOptions(url="postgresql+psycopg://daemon@localhost/signals")
    assert "pg_dump" in backup_finding(server, settled).seen


def test_on_the_command_line_a_failure_is_exit_code_one_and_json_has_every_field(copy: Path) -> None:
    words = [
        sys.executable,
        "-c",
        "from daemon.cli import main; main()",
        "--config",
        str(copy / "config.toml"),
        "doctor",
    ]
    with closing(sqlite3.connect(copy / "state" / "signals.db")) as newer, newer:
        newer.execute("UPDATE alembic_version SET version_num = '9999'")
    root = Path(__file__).parents[3]
    shown = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False, cwd=root)
    assert shown.returncode == 1, shown.stderr
    (line,) = [line for line in shown.stdout.splitlines() if line.startswith("fail database")]
    assert "newer than" in line
    assert "install the newer reliance-daemon" in line
    as_json = subprocess.run([*words, "--json"], capture_output=True, text=True, timeout=60, check=False, cwd=root)
    told = json.loads(as_json.stdout)
    assert told["passes"] is False
    assert {"check", "level", "seen", "remedy"} == set(told["findings"][0])
