"""Only what SQLite calls damage is damage, and a copy is the database at one instant."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from storage.engine import transaction
from storage.sqlite_file import copy_whole, damage_of, faults_of, move_aside, opened, row_counts

PAGE = 4096


def truncated(content: bytes) -> bytes:
    return content[: len(content) // 2]


def torn(content: bytes) -> bytes:
    """The last page was half written."""
    return content[: -PAGE // 2]


def headerless(content: bytes) -> bytes:
    return bytes(100) + content[100:]


def flipped(content: bytes) -> bytes:
    """Bits of the headers of inner pages."""
    broken = bytearray(content)
    for start in range(PAGE, len(content), PAGE):
        broken[start : start + 8] = bytes(byte ^ 0xFF for byte in broken[start : start + 8])
    return bytes(broken)


def text_instead(content: bytes) -> bytes:
    return b"Date,Open,High,Low,Close\n" * 500


def emptied(content: bytes) -> bytes:
    return b""


FAULTS = [truncated, torn, headerless, flipped, text_instead, emptied]


@pytest.mark.parametrize("fault", FAULTS)
def test_each_kind_of_damage_is_told(database: Path, fault: Callable[[bytes], bytes]) -> None:
    database.write_bytes(fault(database.read_bytes()))
    damage = damage_of(database)
    assert damage
    assert "\n" not in damage


def test_a_whole_database_is_not_damaged_nor_changed(database: Path) -> None:
    before = database.read_bytes()
    assert damage_of(database) is None
    assert database.read_bytes() == before


def test_a_missing_database_is_not_damaged(tmp_path: Path) -> None:
    assert damage_of(tmp_path / "signals.db") is None
    assert not (tmp_path / "signals.db").exists()


def test_a_folder_in_its_place_is_not_a_damaged_database(tmp_path: Path) -> None:
    assert damage_of(tmp_path) is None


def test_a_locked_database_is_not_damaged(database: Path) -> None:
    with closing(sqlite3.connect(database, isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        assert damage_of(database, wait_s=0.05) is None


@pytest.mark.parametrize("code", ["SQLITE_IOERR_READ", "SQLITE_FULL", "SQLITE_CANTOPEN", "SQLITE_READONLY_RECOVERY"])
def test_what_may_pass_is_not_damage(code: str) -> None:
    from storage.errors import is_damage

    error = sqlite3.OperationalError("as it is")
    error.sqlite_errorcode = getattr(sqlite3, code)
    assert not is_damage(error)
    error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT_INDEX
    assert is_damage(error)


def test_a_log_that_was_not_merged_yet_is_part_of_the_database(database: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(database, isolation_level=None)) as writer:
        writer.execute("CREATE TABLE late (a)")
        writer.execute("INSERT INTO late VALUES (1)")
        moved = tmp_path / "moved.db"
        move_aside(database, moved)  # as a kill would leave it: the log is not merged
    assert Path(f"{moved}-wal").stat().st_size > 0
    assert not Path(f"{database}-wal").exists()
    with opened(moved) as connection:
        assert connection.execute("SELECT a FROM late").fetchall() == [(1,)]


def test_a_copy_is_the_database_of_one_instant_whatever_is_written_meanwhile(store: Engine, database: Path) -> None:
    with transaction(store) as conn:
        conn.execute(text("CREATE TABLE filler (a TEXT)"))
        conn.execute(text("INSERT INTO filler VALUES (:a)"), [{"a": "x" * 3000} for _ in range(3000)])
    steps = iter(range(10_000))

    def write_between_two_steps(status: int, remaining: int, total: int) -> None:
        with transaction(store) as conn:
            conn.execute(text("INSERT INTO filler VALUES (:a)"), {"a": str(next(steps))})

    target = database.with_name("copy.db")
    copy_whole(database, target, between=write_between_two_steps)
    assert next(steps) > 1
    with opened(target) as copy:
        assert row_counts(copy)["filler"] == 3000
        assert faults_of(copy) is None
    assert [path.name for path in target.parent.glob("copy.db*")] == ["copy.db"]


def test_a_copy_can_be_read_where_nothing_can_be_written(store: Engine, database: Path, tmp_path: Path) -> None:
    folder = tmp_path / "sealed"
    folder.mkdir()
    copy_whole(database, folder / "copy.db")
    names = list(folder.iterdir())
    with opened(folder / "copy.db") as copy:
        copy.execute("SELECT * FROM bars").fetchall()
        assert list(folder.iterdir()) == names


def test_a_database_with_an_index_that_lacks_a_row_is_faulty(database: Path) -> None:
    """quick_check would not see it."""
    with closing(sqlite3.connect(database, isolation_level=None)) as writer:
        writer.execute("CREATE TABLE kept (a INTEGER PRIMARY KEY, b TEXT)")
        writer.execute("CREATE INDEX kept_b ON kept (b)")
        writer.execute("INSERT INTO kept VALUES (1, 'x')")
        (root,) = writer.execute("SELECT rootpage FROM sqlite_master WHERE name = 'kept_b'").fetchone()
        writer.execute("PRAGMA journal_mode = DELETE")
    content = bytearray(database.read_bytes())
    content[(root - 1) * PAGE + 3 : (root - 1) * PAGE + 5] = bytes(2)  # no cell in that page
    database.write_bytes(content)
    with opened(database) as connection:
        assert "kept_b" in (faults_of(connection) or "")


def test_a_row_that_points_at_nothing_is_faulty(database: Path) -> None:
    with closing(sqlite3.connect(database, isolation_level=None)) as writer:
        writer.execute("CREATE TABLE parent (a INTEGER PRIMARY KEY)")
        writer.execute("CREATE TABLE child (a INTEGER REFERENCES parent)")
        writer.execute("INSERT INTO child VALUES (7)")
    with opened(database) as connection:
        assert faults_of(connection) == "row 1 of child points at none of parent"
