"""Users of the daemon's group look and change nothing; while it works, once it is stopped, and after a kill."""

import json
import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from daemon.clock import SystemClock
from daemon.config.settings import StorageOptions
from daemon.database.opening import open_database

ROOT = Path(__file__).parents[2]
OWNER, READER, GROUP, STRANGERS = 61_001, 61_002, 61_003, 61_004
LOOKING = [
    ["status", "--now", "2021-10-05T16:00:00Z"],
    ["status", "--monitor", "--now", "2021-10-05T16:00:00Z"],
    ["signals"],
    ["account"],
    ["positions"],
    ["trades"],
    ["forecasts", "export", "--from", "2021-10-01", "--to", "2021-10-05", "--out", "-"],
    ["db", "check"],
]
only_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")

# As root first, because the code may lie where others can't read it; what it needs is loaded then.
LOOK = """
import contextlib, io, json, os, sys
import daemon.sessions.halt_command, daemon.instance, daemon.console.log, daemon.doctor.examination
from daemon.cli import main
folder, group, user, as_root, as_user = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), *map(json.loads, sys.argv[4:])
def call(words):
    sys.argv = ["reliance-daemon", "--config", f"{folder}/config.toml", *words]
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        code = 0
        try:
            main()
        except SystemExit as end:
            code = end.code or 0
    return code, said.getvalue()
before = [call(words) for words in as_root]
os.setgroups([]); os.setgid(group); os.setuid(user)
print(json.dumps([before, [call(words) for words in as_user]]))
"""
WORK = """
import os, sys, tempfile
from datetime import UTC, datetime
from pathlib import Path
from daemon.clock import SystemClock
from daemon.database.opening import open_database
from daemon.config.settings import StorageOptions, load_settings
from storage.engine import transaction
from storage.tables import configurations
def work(storage):
    engine = open_database(storage, SystemClock())
    with transaction(engine) as conn:
        conn.execute(configurations.insert(), {"digest": "1", "first_seen": datetime.now(UTC), "settings": "{}"})
    return engine
with tempfile.TemporaryDirectory() as name:
    work(StorageOptions(state_dir=Path(name), group_read=True)).dispose()
storage = load_settings(Path(sys.argv[1]) / "config.toml", {}).storage
os.setgroups([]); os.setgid(int(sys.argv[2])); os.setuid(int(sys.argv[3])); os.umask(0o077)
engine = work(storage)
print("at work", flush=True)
if sys.stdin.readline() == "end\\n":
    engine.dispose()
"""


@pytest.fixture
def shared(lived: Path) -> Iterator[Path]:
    """An installation that belongs to OWNER, in a folder that any user can reach: pytest's own is closed to others."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        folder = Path(shutil.copytree(lived, Path(name) / "installation"))
        for path in (folder / "state", *(folder / "state").rglob("*")):
            os.chown(path, OWNER, GROUP)
            path.chmod(0o700 if path.is_dir() else 0o600)
        folder.chmod(0o755)
        yield folder


def allow(folder: Path) -> None:
    config = folder / "config.toml"
    config.write_text(config.read_text() + "\n[storage]\ngroup_read = true\n")
    os.chown(config, 0, GROUP)
    config.chmod(0o640)


def at_work(folder: Path) -> "subprocess.Popen[str]":
    words = [sys.executable, "-c", WORK, str(folder), str(GROUP), str(OWNER)]
    daemon = subprocess.Popen(words, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert daemon.stdout is not None
    assert daemon.stdout.readline() == "at work\n"
    return daemon


def look(folder: Path, as_root: list[list[str]], as_reader: list[list[str]], *, group: int = GROUP) -> Any:
    """What root is told, and then READER: an exit code and the output of each command."""
    words = [sys.executable, "-c", LOOK, str(folder), str(group), str(READER), *map(json.dumps, (as_root, as_reader))]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    return json.loads(done.stdout.splitlines()[-1])


@only_root
@pytest.mark.parametrize("end", ["at work", pytest.param("killed", marks=pytest.mark.slow)])
def test_a_user_of_the_group_is_told_what_root_is(end: str, shared: Path) -> None:
    allow(shared)
    with at_work(shared) as daemon:
        if end == "killed":
            daemon.kill()
        told, told_reader = look(shared, LOOKING, LOOKING)
        daemon.kill()
    assert told_reader == told
    assert [code for code, _ in told] == [0] * len(LOOKING)


@only_root
@pytest.mark.slow
def test_a_user_of_the_group_looks_at_a_stopped_daemon_and_changes_nothing(shared: Path) -> None:
    allow(shared)
    with at_work(shared) as daemon:
        daemon.communicate("end\n", timeout=60)
    before = content(shared)
    changing = [["halt"], ["run-once"]]
    told, (*told_reader, (halted, halt), (repeated, run)) = look(shared, LOOKING, [*LOOKING, *changing])
    assert told_reader == told
    assert (halted, repeated) == (1, 1)
    assert "is read-only" in halt
    assert "cannot be written" in run
    assert content(shared) == before


def content(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in (folder / "state").rglob("*") if path.is_file()}


@only_root
@pytest.mark.slow
def test_where_more_than_the_database_is_needed_one_line_says_whose_right_it_is(shared: Path) -> None:
    allow(shared)
    farther = [["explain", "newest"], ["cache", "list"], ["doctor"]]
    with at_work(shared) as daemon:
        _, ((explained, explanation), (listed, cache), (_, seen)) = look(shared, farther, farther)
        daemon.kill()
    assert (explained, listed) == (0, 1)
    assert re.search(
        r"can't be read from \S+ \(Permission denied\); mend .+ as the user who runs the daemon\.$", explanation, re.M
    )
    assert re.fullmatch(
        r".+/versions: this user may not \(Permission denied\); .+ as the user who runs the daemon\.\n", cache
    )
    assert re.search(r"^warn database +this user may not look at \S+/backups; look as the user who runs", seen, re.M)


@only_root
@pytest.mark.parametrize(("allowed", "group"), [(False, GROUP), pytest.param(True, STRANGERS, marks=pytest.mark.slow)])
def test_who_may_not_look_is_told_how_to_get_the_right(allowed: bool, group: int, shared: Path) -> None:
    if allowed:
        allow(shared)
        (shared / "config.toml").chmod(0o644)
    with at_work(shared) as daemon:
        daemon.communicate("end\n", timeout=60)
    _, ((code, said),) = look(shared, [["signals"]], [["signals"]], group=group)
    assert code == 1
    assert "can't be looked at by this user" in said
    assert "storage.group_read = true" in said


def rights(folder: Path) -> set[int]:
    return {stat.S_IMODE(path.stat().st_mode) for path in folder.glob("signals.db*")}


def test_the_groups_right_follows_the_setting_also_after_the_last_writer(tmp_path: Path) -> None:
    state = tmp_path / "state"
    before = os.umask(0o077)
    try:
        for allowed, mode, beside in ((False, 0o600, 1), (True, 0o640, 3), (False, 0o600, 1)):
            engine = open_database(StorageOptions(state_dir=state, group_read=allowed), SystemClock())
            assert len(list(state.glob("signals.db*"))) == 3
            assert rights(state) == {mode}
            engine.dispose()
            assert rights(state) == {mode}
            assert len(list(state.glob("signals.db*"))) == beside
            if allowed:
                assert stat.S_IMODE(state.stat().st_mode) == 0o750
    finally:
        os.umask(before)


def test_the_unit_opens_the_folder_to_the_group_and_leaves_the_files_to_the_setting() -> None:
    unit = (ROOT / "systemd" / "reliance-daemon.service").read_text().splitlines()
    assert {"StateDirectoryMode=0750", "UMask=0077", "Group=reliance-daemon"} <= set(unit)
    assert "chmod 640" in (ROOT / "systemd" / "install.sh").read_text()  # of the configuration, which they read too
