"""A damaged database is put aside and replaced at the start; one that is locked, unreadable or out of room never is."""

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from loguru import logger

from daemon.clock import FixedClock
from daemon.config.settings import StorageOptions
from daemon.database.opening import open_database
from storage.backups import back_up
from storage.engine import StoreError, open_store, transaction
from storage.sqlite_file import damage_of, opened
from storage.tables import configurations
from tests.daemon.old_schema import back_to_0008
from tests.storage.kill_points import ROOT, copied_with_log, killed_everywhere
from tests.storage.small_disk import on_a_small_disk

NOW = datetime(2021, 10, 5, 12, tzinfo=UTC)
NOBODY = 65534


def truncated(content: bytes) -> bytes:
    return content[: len(content) // 2]


def headerless(content: bytes) -> bytes:
    return bytes(100) + content[100:]


def flipped(content: bytes) -> bytes:
    broken = bytearray(content)
    for start in range(4096, len(content), 4096):
        broken[start : start + 8] = bytes(byte ^ 0xFF for byte in broken[start : start + 8])
    return bytes(broken)


def emptied(content: bytes) -> bytes:
    return b""


def text_instead(content: bytes) -> bytes:
    return b"Date,Open,High,Low,Close\n" * 500


FAULTS = [truncated, headerless, flipped, emptied, text_instead]


@pytest.fixture
def said() -> Iterator[list[str]]:
    """What the log says, a level and a line each."""
    lines: list[str] = []
    sink = logger.add(lambda message: lines.append(str(message).strip()), format="{level} {message}", level="INFO")
    yield lines
    logger.remove(sink)


@pytest.fixture
def storage(tmp_path: Path) -> StorageOptions:
    """A database that notes "1", two backups of it, and then "2"."""
    options = StorageOptions(state_dir=tmp_path / "state")
    note(options, "1")
    for hour in (2, 1):
        back_up(options.state_dir / "signals.db", options.backups, at=NOW - timedelta(hours=hour), keep=7)
    note(options, "2")
    return options


def note(options: StorageOptions, word: str) -> None:
    engine = open_store(options.database_url)
    with transaction(engine) as conn:
        conn.execute(configurations.insert(), {"digest": word, "first_seen": NOW, "settings": "{}"})
    engine.dispose()


def open_now(options: StorageOptions) -> None:
    open_database(options, FixedClock(NOW)).dispose()


def notes_in(database: Path) -> list[str]:
    with opened(database) as connection:
        return [word for (word,) in connection.execute("SELECT digest FROM configurations ORDER BY digest")]


def damage(options: StorageOptions, fault: Callable[[bytes], bytes]) -> Path:
    database = options.state_dir / "signals.db"
    database.write_bytes(fault(database.read_bytes()))
    return database


def test_a_whole_database_is_opened_without_a_word(storage: StorageOptions, said: list[str]) -> None:
    open_now(storage)
    assert notes_in(storage.state_dir / "signals.db") == ["1", "2"]
    assert said == []


@pytest.mark.parametrize("fault", FAULTS)
def test_a_damaged_database_is_put_aside_and_the_newest_backup_takes_its_place(
    storage: StorageOptions, said: list[str], fault: Callable[[bytes], bytes]
) -> None:
    database = damage(storage, fault)
    broken = database.read_bytes()
    open_now(storage)
    assert notes_in(database) == ["1"]
    assert Path(f"{database}.damaged-20211005T120000Z").read_bytes() == broken
    (line,) = said
    assert line.startswith("ERROR database: damaged (")
    assert "signals.db.damaged-20211005T120000Z, and the backup signals-empty-at-20211005T110000Z.db took its" in line
    open_now(storage)
    assert len(said) == 1


def test_a_damaged_backup_is_passed_over(storage: StorageOptions, said: list[str]) -> None:
    database = damage(storage, truncated)
    newest = max(storage.backups.glob("*.db"))
    newest.write_bytes(truncated(newest.read_bytes()))
    open_now(storage)
    assert notes_in(database) == ["1"]
    assert newest.name in said[0]
    assert "signals-empty-at-20211005T100000Z.db took its place" in said[1]


@pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault is not emptied])
def test_without_a_backup_a_new_one_begins_and_the_line_says_what_is_lost(
    storage: StorageOptions, said: list[str], fault: Callable[[bytes], bytes]
) -> None:
    shutil.rmtree(storage.backups)
    database = damage(storage, fault)
    open_now(storage)
    assert notes_in(database) == []
    assert Path(f"{database}.damaged-20211005T120000Z").is_file()
    (line,) = said
    assert "a new one begins; bars come again from the feed, what was forecast, decided and held before is not" in line


def test_an_empty_file_without_backups_is_a_database_to_be(storage: StorageOptions, said: list[str]) -> None:
    shutil.rmtree(storage.backups)
    database = damage(storage, emptied)
    open_now(storage)
    assert notes_in(database) == []
    assert said == []


def test_a_second_damage_in_the_same_second_overwrites_nothing(storage: StorageOptions) -> None:
    for _ in range(2):
        damage(storage, text_instead)
        open_now(storage)
    assert len(list(storage.state_dir.glob("signals.db.damaged-*"))) == 2


def test_a_missing_database_with_backups_is_told_and_begun_anew(storage: StorageOptions, said: list[str]) -> None:
    database = storage.state_dir / "signals.db"
    database.unlink()
    open_now(storage)
    assert notes_in(database) == []
    (line,) = said
    assert "is not there although there are backups" in line
    assert f"db restore {max(storage.backups.glob('*.db'))}" in line


def test_a_log_without_its_database_is_kept(storage: StorageOptions) -> None:
    database = storage.state_dir / "signals.db"
    with closing(sqlite3.connect(database, isolation_level=None)) as writer:
        writer.execute("DELETE FROM configurations WHERE digest = '2'")
        copied_with_log(database, storage.state_dir / "copy.db")
    log = Path(f"{database}-wal")
    (storage.state_dir / "copy.db-wal").rename(log)
    content = log.read_bytes()
    database.unlink()
    open_now(storage)
    assert (storage.state_dir / "signals.db.left-over-20211005T120000Z-wal").read_bytes() == content


def test_the_log_of_a_damaged_database_goes_with_it(storage: StorageOptions) -> None:
    database = storage.state_dir / "signals.db"
    with closing(sqlite3.connect(database, isolation_level=None)) as writer:
        writer.execute("INSERT INTO configurations VALUES ('3', '{}', '2021-10-05T00:00:00Z')")
        copied_with_log(database, storage.state_dir / "copy.db")
    log = (storage.state_dir / "copy.db-wal").read_bytes()
    damage(storage, headerless)
    Path(f"{database}-wal").write_bytes(log)
    open_now(storage)
    assert notes_in(database) == ["1"]
    assert Path(f"{database}.damaged-20211005T120000Z-wal").read_bytes() == log


def unchanged(options: StorageOptions, expected: str) -> None:
    """Opening fails with that line, and every file is as it was."""
    before = {path: path.read_bytes() for path in options.state_dir.rglob("signals*.db*") if path.suffix != ".db-shm"}
    with pytest.raises(StoreError, match=expected):
        open_now(options)
    assert {path: path.read_bytes() for path in before} == before
    assert not list(options.state_dir.glob("*damaged*"))


def test_a_locked_database_stays(storage: StorageOptions) -> None:
    url = f"sqlite:///{storage.state_dir / 'signals.db'}?timeout=0.05"
    with closing(sqlite3.connect(storage.state_dir / "signals.db", isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        unchanged(storage.model_copy(update={"url": url}), "stayed locked by another program")


@pytest.fixture
def reachable(storage: StorageOptions) -> Iterator[Path]:
    """A copy of the state that any user can reach: pytest's own folder belongs to one user alone."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        folder = Path(shutil.copytree(storage.state_dir, Path(name) / "state"))
        yield folder
        folder.chmod(0o755)


def as_nobody(options: StorageOptions, expected: str) -> None:
    user = os.geteuid()
    if user == 0:
        os.seteuid(NOBODY)
    try:
        with pytest.raises(StoreError, match=expected):
            open_now(options)
    finally:
        os.seteuid(user)
    assert not list(options.state_dir.glob("*damaged*"))


def test_a_database_that_may_not_be_read_stays(reachable: Path) -> None:
    reachable.chmod(0o777)
    (reachable / "signals.db").chmod(0o600 if os.geteuid() == 0 else 0)
    as_nobody(StorageOptions(state_dir=reachable), "can't be opened")
    assert notes_in(reachable / "signals.db") == ["1", "2"]


@pytest.mark.parametrize("fault", [None, truncated])
def test_a_folder_that_may_not_be_written_keeps_what_is_in_it(
    reachable: Path, fault: Callable[[bytes], bytes] | None
) -> None:
    options = StorageOptions(state_dir=reachable)
    if fault:
        damage(options, fault)
    for path in (reachable / "signals.db", options.backups, *options.backups.iterdir()):
        path.chmod(0o755)
    content = (reachable / "signals.db").read_bytes()
    reachable.chmod(0o555)
    as_nobody(options, "writ")
    assert (reachable / "signals.db").read_bytes() == content


@pytest.mark.parametrize(("room", "expected"), [(40_000, "is damaged ("), (0, "met a disk error")])
def test_a_disk_without_room_for_the_backup_leaves_the_damaged_one_in_its_place(
    storage: StorageOptions, room: int, expected: str
) -> None:
    damage(storage, truncated)
    program = (
        "import resource, sys; from pathlib import Path; from daemon.clock import SystemClock\n"
        "from daemon.database.opening import open_database; from daemon.config.settings import StorageOptions\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))\n"
        "open_database(StorageOptions(state_dir=Path(sys.argv[1])), SystemClock())\n"
    )
    words = [sys.executable, "-c", program, str(storage.state_dir), str(room)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert expected in done.stderr.splitlines()[-1]
    assert damage_of(storage.state_dir / "signals.db")
    assert not list(storage.state_dir.glob("*damaged*"))


def test_a_whole_database_on_a_full_disk_stays(storage: StorageOptions) -> None:
    program = (
        "import resource, sys; from pathlib import Path; from daemon.clock import SystemClock\n"
        "from daemon.database.opening import open_database; from daemon.config.settings import StorageOptions\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))\n"
        "open_database(StorageOptions(state_dir=Path(sys.argv[1])), SystemClock())\n"
    )
    words = [sys.executable, "-c", program, str(storage.state_dir)]
    subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert notes_in(storage.state_dir / "signals.db") == ["1", "2"]
    assert not list(storage.state_dir.glob("*damaged*"))


def test_a_kill_at_any_point_of_a_rescue_is_made_good_by_the_next_start(
    storage: StorageOptions, tmp_path: Path
) -> None:
    broken = damage(storage, truncated).read_bytes()
    imports = (
        "from daemon.database.opening import open_database; from daemon.config.settings import StorageOptions\n"
        "from daemon.clock import FixedClock; import alembic.command, storage.dictionary, storage.views"
    )
    work = "open_database(StorageOptions(state_dir=folder), FixedClock(NOW)).dispose()"
    for killed in killed_everywhere(storage.state_dir, tmp_path / "copies", work, imports=imports):
        open_now(StorageOptions(state_dir=killed))
        assert notes_in(killed / "signals.db") == ["1"]
        assert [path.read_bytes() for path in killed.glob("signals.db.damaged-*Z")] == [broken]
        assert not list(killed.glob("*restoring*")) + list(killed.glob(".draft*"))


def test_an_older_schema_is_backed_up_before_it_is_upgraded(storage: StorageOptions, said: list[str]) -> None:
    with closing(sqlite3.connect(storage.state_dir / "signals.db", isolation_level=None)) as old:
        back_to_0008(old)
    open_now(storage)
    newest = max(storage.backups.glob("*.db"))
    assert newest.name == "signals-empty-at-20211005T120000Z.db"
    with opened(newest) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchone() == ("0008",)
    assert said == [f"INFO database: its schema is upgraded; a backup of it as it was is {newest}"]


def test_a_newer_schema_is_refused_and_stays(storage: StorageOptions) -> None:
    with closing(sqlite3.connect(storage.state_dir / "signals.db", isolation_level=None)) as newer:
        newer.execute("UPDATE alembic_version SET version_num = '9999'")
    unchanged(storage, "newer than")


ON_A_FULL_DISK = """
import shutil, sys
from pathlib import Path
from daemon.clock import SystemClock
from daemon.database.opening import open_database
from daemon.config.settings import StorageOptions
from storage.sqlite_file import damage_of

state = Path(shutil.copytree(sys.argv[1], Path(sys.argv[2]) / "state"))
try:
    with (Path(sys.argv[2]) / "filler").open("wb", buffering=0) as filler:
        while filler.write(b"x" * 512):
            pass
except OSError:
    pass
content = (state / "signals.db").read_bytes()
try:
    open_database(StorageOptions(state_dir=state), SystemClock()).dispose()
    said = "opened"
except Exception as error:
    said = str(error).replace(" ", "_")
same = (state / "signals.db").read_bytes() == content
print(same, len(list(state.glob("*.damaged-*"))), len(list(state.glob(".draft*"))), said)
"""


@pytest.mark.parametrize("fault", [None, truncated])
def test_on_a_disk_that_is_full_nothing_is_moved(
    storage: StorageOptions, tmp_path: Path, fault: Callable[[bytes], bytes] | None
) -> None:
    if fault:
        damage(storage, fault)
    place = tmp_path / "small"
    place.mkdir()
    size_kb = sum(path.stat().st_size for path in storage.state_dir.rglob("*") if path.is_file()) // 1024 + 120
    said = on_a_small_disk(place, size_kb, ON_A_FULL_DISK, storage.state_dir, place)
    assert said.startswith("True 0 0 ")
    assert "disk" in said
