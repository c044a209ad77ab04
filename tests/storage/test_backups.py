"""A backup is one checked file; whatever happens while it is made, the ones before it stay."""

import fcntl
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from storage.backups import BackupError, back_up, backups_in, check_backup
from storage.engine import transaction
from storage.migrations import HEAD_REVISION
from storage.run_store import Run, RunStatus, write_runs
from storage.sqlite_file import opened
from tests.storage.kill_points import ROOT, killed_everywhere
from tests.storage.small_disk import on_a_small_disk

NOW = datetime(2021, 10, 5, 12, tzinfo=UTC)


def settle(store: Engine, session: date) -> None:
    with transaction(store) as conn:
        write_runs(conn, [Run("live", "settle", session, RunStatus.DONE, NOW, NOW)])


def sessions_in(path: Path) -> list[str]:
    with opened(path) as connection:
        return [session for (session,) in connection.execute("SELECT session FROM runs ORDER BY session")]


def test_a_backup_is_named_by_its_newest_session_and_holds_what_the_log_alone_has(
    store: Engine, database: Path, tmp_path: Path
) -> None:
    settle(store, date(2021, 10, 5))
    assert Path(f"{database}-wal").stat().st_size > 0
    made = back_up(database, tmp_path / "kept", at=NOW, keep=7)
    assert made.path.name == "signals-2021-10-05-at-20211005T120000Z.db"
    assert (made.session, sessions_in(made.path)) == (date(2021, 10, 5), ["2021-10-05"])
    assert check_backup(made.path) == HEAD_REVISION
    assert backups_in(tmp_path / "kept") == [made]


def test_a_writer_at_work_is_neither_waited_for_nor_seen(store: Engine, database: Path, tmp_path: Path) -> None:
    with transaction(store) as conn:
        write_runs(conn, [Run("live", "settle", date(2021, 10, 5), RunStatus.DONE, NOW, NOW)])
        made = back_up(database, tmp_path / "kept", at=NOW, keep=7)
    assert made.session is None
    assert made.path.name == "signals-empty-at-20211005T120000Z.db"


def test_only_the_newest_stay_and_zero_keeps_all(store: Engine, database: Path, tmp_path: Path) -> None:
    for keep, count in ((0, 4), (2, 2), (1, 1)):
        for day in range(1, 5):
            settle(store, date(2021, 10, day))
            back_up(database, tmp_path / "kept", at=NOW + timedelta(days=day), keep=keep)
        assert len(backups_in(tmp_path / "kept")) == count
    assert backups_in(tmp_path / "kept")[0].session == date(2021, 10, 4)


def test_the_one_just_made_stays_although_others_know_newer_sessions(
    store: Engine, database: Path, tmp_path: Path
) -> None:
    kept = tmp_path / "kept"
    old = back_up(database, kept, at=NOW, keep=7)
    (kept / "signals-2031-01-01-at-20310101T000000Z.db").write_bytes(old.path.read_bytes())
    made = back_up(database, kept, at=NOW + timedelta(hours=1), keep=1)
    assert [one.path for one in backups_in(kept)] == [made.path]


def test_a_clock_that_was_wrong_does_not_make_an_old_backup_the_newest(
    store: Engine, database: Path, tmp_path: Path
) -> None:
    settle(store, date(2021, 10, 4))
    back_up(database, tmp_path / "kept", at=NOW + timedelta(days=9000), keep=7)
    settle(store, date(2021, 10, 5))
    newest = back_up(database, tmp_path / "kept", at=NOW, keep=7)
    assert backups_in(tmp_path / "kept")[0] == newest


def test_other_files_of_the_folder_are_no_backups_and_stay(database: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "signals-2021-10-05.db").write_text("mine")
    for hour in range(3):
        back_up(database, kept, at=NOW + timedelta(hours=hour), keep=1)
    assert (kept / "signals-2021-10-05.db").read_text() == "mine"
    assert len(backups_in(kept)) == 1


def test_a_damaged_database_takes_no_backup_away(database: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    good = back_up(database, kept, at=NOW, keep=1)
    content = bytearray(database.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    database.write_bytes(content)
    with pytest.raises(BackupError, match=r"was not backed up to .*look with `db check`"):
        back_up(database, kept, at=NOW + timedelta(days=1), keep=1)
    assert backups_in(kept) == [good]
    assert not list(kept.glob(".draft*"))


def test_a_missing_database_makes_neither_a_backup_nor_a_database(tmp_path: Path) -> None:
    with pytest.raises(BackupError, match="was not backed up"):
        back_up(tmp_path / "signals.db", tmp_path / "kept", at=NOW, keep=1)
    assert not (tmp_path / "signals.db").exists()
    assert backups_in(tmp_path / "kept") == []


def test_a_file_where_the_folder_should_be_is_one_line(database: Path, tmp_path: Path) -> None:
    (tmp_path / "kept").touch()
    with pytest.raises(BackupError, match="writable and have room"):
        back_up(database, tmp_path / "kept", at=NOW, keep=1)


def test_two_at_once_are_not_made(database: Path, tmp_path: Path) -> None:
    with (tmp_path / ".lock").open("a") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(BackupError, match="another process is making a backup"):
            back_up(database, tmp_path, at=NOW, keep=1)
    assert back_up(database, tmp_path, at=NOW, keep=1).path.is_file()


@pytest.mark.parametrize("room", [0, 4096, 40_000])
def test_a_disk_without_room_leaves_the_backups_as_they_were(database: Path, tmp_path: Path, room: int) -> None:
    kept = tmp_path / "kept"
    good = back_up(database, kept, at=NOW, keep=1)
    assert database.stat().st_size > room
    program = (
        "import resource, sys; from datetime import UTC, datetime; from pathlib import Path\n"
        "from storage.backups import back_up\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), resource.RLIM_INFINITY))\n"
        "back_up(Path(sys.argv[1]), Path(sys.argv[2]), at=datetime(2021, 10, 6, tzinfo=UTC), keep=1)\n"
    )
    words = [sys.executable, "-c", program, str(database), str(kept), str(room)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert "have room" in done.stderr.splitlines()[-1]
    assert [path.name for path in kept.iterdir() if path.name != ".lock"] == [good.path.name]
    assert check_backup(good.path) == HEAD_REVISION


def test_a_kill_at_any_point_leaves_whole_backups_and_a_next_one_that_works(
    store: Engine, database: Path, tmp_path: Path
) -> None:
    settle(store, date(2021, 10, 4))
    store.dispose()
    template = tmp_path / "template"
    template.mkdir()
    database.rename(template / "signals.db")
    for hour in range(2):
        back_up(template / "signals.db", template / "kept", at=NOW - timedelta(hours=9 - hour), keep=2)
    content = (template / "signals.db").read_bytes()
    imports = "from storage.backups import back_up"
    work = "back_up(folder / 'signals.db', folder / 'kept', at=NOW, keep=2)"
    for folder in killed_everywhere(template, tmp_path / "copies", work, imports=imports):
        found = backups_in(folder / "kept")
        assert len(found) >= 2
        assert {check_backup(one.path) for one in found} == {HEAD_REVISION}
        assert {one.session for one in found} == {date(2021, 10, 4)}
        made = back_up(folder / "signals.db", folder / "kept", at=NOW + timedelta(hours=1), keep=2)
        assert len(backups_in(folder / "kept")) == 2
        assert made in backups_in(folder / "kept")
        assert not list((folder / "kept").glob(".draft*"))
        assert (folder / "signals.db").read_bytes() == content


@pytest.mark.parametrize("content", [b"", b"Date,Open\n" * 900])
def test_what_is_no_database_is_no_backup(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "backup.db").write_bytes(content)
    with pytest.raises(BackupError, match="take an"):
        check_backup(tmp_path / "backup.db")


def test_another_programs_database_is_no_backup(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "backup.db")) as other:
        other.execute("CREATE TABLE mine (a)")
    with pytest.raises(BackupError, match="no database of reliance-daemon"):
        check_backup(tmp_path / "backup.db")


def test_a_backup_with_a_flipped_page_is_refused(database: Path, tmp_path: Path) -> None:
    made = back_up(database, tmp_path / "kept", at=NOW, keep=1)
    content = bytearray(made.path.read_bytes())
    content[8192:8200] = b"\xff" * 8
    made.path.write_bytes(content)
    with pytest.raises(BackupError, match="take an older one"):
        check_backup(made.path)


FILL_UP = """
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from storage.backups import BackupError, back_up, backups_in, check_backup

database, kept, now = Path(sys.argv[1]), Path(sys.argv[2]), datetime(2021, 10, 5, tzinfo=UTC)
try:
    for hour in range(100):
        back_up(database, kept, at=now + timedelta(hours=hour), keep=0)
except BackupError as error:
    whole = {check_backup(one.path) for one in backups_in(kept)}
    print(hour, len(backups_in(kept)), len(whole), len(list(kept.glob(".draft*"))), str(error).replace(" ", "_"))
"""


def test_a_disk_that_is_full_keeps_what_it_has_and_says_so(database: Path, tmp_path: Path) -> None:
    place = tmp_path / "small"
    place.mkdir()
    size_kb = 3 * database.stat().st_size // 1024 + 100
    made, kept, schemas, drafts, said = on_a_small_disk(place, size_kb, FILL_UP, database, place).split(" ")
    assert int(made) == int(kept) > 0
    assert (schemas, drafts) == ("1", "0")
    assert "is_full" in said or "disk_I/O_error" in said or "No_space" in said
    assert "have_room" in said
