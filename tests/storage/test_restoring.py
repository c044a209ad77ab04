"""A restore replaces the database or does nothing, and throws nothing away."""

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, create_engine, text

import storage.migrations
from storage.backups import BackupError, back_up
from storage.engine import open_store, transaction
from storage.migrations import HEAD_REVISION
from storage.restoring import finish_restore, restore, set_aside
from storage.run_store import Run, RunStatus, write_runs
from storage.sqlite_file import damage_of, opened
from tests.storage.kill_points import copied_with_log, killed_everywhere

NOW = datetime(2021, 10, 5, 12, tzinfo=UTC)
OLD, NEW = date(2021, 10, 4), date(2021, 10, 5)


def settle(store: Engine, session: date) -> None:
    with transaction(store) as conn:
        write_runs(conn, [Run("live", "settle", session, RunStatus.DONE, NOW, NOW)])


def sessions_in(path: Path) -> list[date]:
    with opened(path) as connection:
        rows = connection.execute("SELECT session FROM runs ORDER BY session").fetchall()
    return [date.fromisoformat(session) for (session,) in rows]


@pytest.fixture
def folder(store: Engine, database: Path, tmp_path: Path) -> Iterator[Path]:
    """backup.db knows OLD; signals.db, killed after its last commit, knows NEW too, in its log alone."""
    folder = tmp_path / "state"
    folder.mkdir()
    settle(store, OLD)
    back_up(database, folder, at=NOW, keep=1).path.rename(folder / "backup.db")
    settle(store, NEW)
    copied_with_log(database, folder / "signals.db")
    yield folder
    store.dispose()


def test_the_backup_takes_the_place_and_the_one_before_stays_with_all_it_had(folder: Path) -> None:
    database = folder / "signals.db"
    aside = restore(folder / "backup.db", database, at=NOW, why="before-restore")
    assert aside == folder / "signals.db.before-restore-20211005T120000Z"
    assert sessions_in(database) == [OLD]
    assert sessions_in(aside) == [OLD, NEW]
    assert sessions_in(folder / "backup.db") == [OLD]
    assert not list(folder.glob("*restoring*")) + list(folder.glob(".draft*"))
    engine = open_store(f"sqlite:///{database}")
    settle(engine, NEW)
    engine.dispose()
    assert sessions_in(database) == [OLD, NEW]


def test_a_missing_database_is_restored_too(folder: Path, tmp_path: Path) -> None:
    database = tmp_path / "new" / "signals.db"
    assert restore(folder / "backup.db", database, at=NOW, why="before-restore") is None
    assert sessions_in(database) == [OLD]


def test_a_second_restore_in_the_same_second_overwrites_nothing(folder: Path) -> None:
    database = folder / "signals.db"
    first = restore(folder / "backup.db", database, at=NOW, why="before-restore")
    second = restore(folder / "backup.db", database, at=NOW, why="before-restore")
    assert first is not None
    assert second is not None
    assert (sessions_in(first), sessions_in(second), sessions_in(database)) == ([OLD, NEW], [OLD], [OLD])


def test_a_kill_at_any_point_leaves_the_one_or_the_other_and_loses_nothing(folder: Path, tmp_path: Path) -> None:
    imports = "from storage.restoring import restore; import storage.views, storage.dictionary, alembic.command"
    work = "restore(folder / 'backup.db', folder / 'signals.db', at=NOW, why='before-restore')"
    replaced = 0
    for killed in killed_everywhere(folder, tmp_path / "copies", work, imports=imports):
        database = killed / "signals.db"
        finish_restore(database)
        assert damage_of(database) is None
        asides = list(killed.glob("signals.db.before-*Z"))
        everything = [sessions_in(path) for path in (database, *asides)]
        assert everything in ([[OLD, NEW]], [[OLD], [OLD, NEW]])
        replaced += bool(asides)
        assert not list(killed.glob("*restoring*")) + list(killed.glob(".draft*"))
    assert replaced > 1, "some were killed after the restore counted"


def test_an_older_schema_is_upgraded_and_the_backup_stays_as_it_is(database: Path, tmp_path: Path) -> None:
    backup = tmp_path / "old.db"
    old = create_engine(f"sqlite:///{backup}")
    config = Config()
    config.set_main_option("script_location", str(Path(storage.migrations.__file__).parent))
    config.set_main_option("path_separator", "os")
    with old.begin() as conn:
        config.attributes["connection"] = conn
        command.upgrade(config, "0003")
        conn.execute(text("INSERT INTO runs VALUES ('live', 'settle', '2021-10-04', 'done', '2021', '2021', '')"))
    old.dispose()
    content = backup.read_bytes()
    restore(backup, database, at=NOW, why="before-restore")
    with opened(database) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [(HEAD_REVISION,)]
        connection.execute("SELECT * FROM v_equity").fetchall()
    assert sessions_in(database) == [OLD]
    assert backup.read_bytes() == content


def refused(backup: Path, database: Path, expected: str) -> None:
    """The restore says so, and nothing in the folder has changed."""
    before = {path.name: path.read_bytes() for path in database.parent.iterdir()}
    with pytest.raises(BackupError, match=expected):
        restore(backup, database, at=NOW, why="before-restore")
    assert {path.name: path.read_bytes() for path in database.parent.iterdir()} == before


def test_a_newer_schema_is_refused(folder: Path) -> None:
    with closing(sqlite3.connect(folder / "backup.db")) as newer, newer:
        newer.execute("UPDATE alembic_version SET version_num = '9999'")
    refused(folder / "backup.db", folder / "signals.db", "has schema 9999, newer than")


@pytest.mark.parametrize("content", [b"", b"SQLite format 3\x00" + bytes(84), b"no database\n" * 900])
def test_what_is_no_backup_is_refused(folder: Path, content: bytes) -> None:
    (folder / "backup.db").write_bytes(content)
    refused(folder / "backup.db", folder / "signals.db", "backup .*backup.db .*take an")


def test_a_missing_backup_is_refused(folder: Path) -> None:
    refused(folder / "gone.db", folder / "signals.db", "was not found")


def test_a_database_that_another_program_has_open_is_left_alone(folder: Path) -> None:
    """It would go on writing to the file moved aside, and take the new one's log away when it ends."""
    database = folder / "signals.db"
    with closing(sqlite3.connect(database, isolation_level=None)) as shell:
        shell.execute("BEGIN")
        shell.execute("SELECT * FROM runs").fetchall()
        with pytest.raises(BackupError, match="is open in another program"):
            restore(folder / "backup.db", database, at=NOW, why="before-restore")
        assert len(shell.execute("SELECT * FROM runs").fetchall()) == 2
    assert sessions_in(database) == [OLD, NEW]
    assert not list(folder.glob("*restoring*")) + list(folder.glob(".draft*"))


def test_a_damaged_database_is_moved_aside_as_it_is(folder: Path) -> None:
    database = folder / "signals.db"
    database.write_bytes(b"\x00" * 9000)
    aside = restore(folder / "backup.db", database, at=NOW, why="damaged")
    assert aside is not None
    assert aside.read_bytes() == b"\x00" * 9000
    assert Path(f"{aside}-wal").exists()
    assert sessions_in(database) == [OLD]


def test_the_restored_database_has_the_rights_of_the_one_before(folder: Path) -> None:
    (folder / "signals.db").chmod(0o640)
    restore(folder / "backup.db", folder / "signals.db", at=NOW, why="before-restore")
    assert (folder / "signals.db").stat().st_mode & 0o777 == 0o640


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_what_root_restores_belongs_to_the_service(folder: Path) -> None:
    os.chown(folder, 65534, 65534)
    restore(folder / "backup.db", folder / "signals.db", at=NOW, why="before-restore")
    made = back_up(folder / "signals.db", folder / "kept", at=NOW, keep=1)
    owners = [path.stat().st_uid for path in (folder / "signals.db", made.path.parent, made.path)]
    assert owners == [65534] * 3


def test_a_set_aside_goes_on_where_a_kill_stopped_it(folder: Path) -> None:
    database = folder / "signals.db"
    database.rename(folder / "signals.db.damaged-x")
    aside = set_aside(database, "damaged-x")
    assert aside == folder / "signals.db.damaged-x"
    assert sessions_in(aside) == [OLD, NEW]


def test_a_folder_with_odd_characters_is_no_obstacle(folder: Path, tmp_path: Path) -> None:
    odd = Path(shutil.copytree(folder, tmp_path / "100% sure #1"))
    made = back_up(odd / "signals.db", odd / "kept & safe", at=NOW, keep=1)
    aside = restore(made.path, odd / "signals.db", at=NOW, why="before-restore")
    assert aside is not None
    assert sessions_in(odd / "signals.db") == sessions_in(aside) == [OLD, NEW]
