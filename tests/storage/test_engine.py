import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, create_engine, event, func, select, text

from storage.engine import KEPT_WAL_BYTES, OldSchema, StoreError, open_store, reading, transaction
from storage.tables import bars

NOBODY = 65534
BAR = {
    "symbol": "RELIANCE.NS",
    "session": datetime(2021, 10, 1).date(),  # noqa: DTZ001 - a session has no time zone
    "seen_at": datetime(2021, 10, 1, 12, tzinfo=UTC),
    "superseded_at": None,
    "provider": "test",
    "open": 100.0,
    "high": 102.0,
    "low": 99.0,
    "close": 101.0,
    "adj_close": 101.0,
    "volume": 1000.0,
}


def url_of(path: Path, options: str = "") -> str:
    return f"sqlite:///{path}{options}"


def refusal(url: str, *, read_only: bool = False) -> str:
    """The message of the StoreError that opening raises, checked for being one line that names its subject."""
    with pytest.raises(StoreError) as caught:
        open_store(url, read_only=read_only).dispose()
    message = str(caught.value)
    assert message.startswith("storage.url ")
    assert "\n" not in message
    return message


def count_bars(engine: Engine) -> int:
    with reading(engine) as conn:
        return conn.scalar(select(func.count()).select_from(bars)) or 0


def do_then_fail(engine: Engine, work: Callable[[Connection], object]) -> None:
    with transaction(engine) as conn:
        work(conn)
        raise KeyError("the job failed")


def test_a_new_database_gets_its_folder_and_its_schema(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "signals.db"
    engine = open_store(url_of(path))
    assert path.is_file()
    assert count_bars(engine) == 0
    engine.dispose()


def test_a_folder_name_with_odd_characters_is_no_obstacle(tmp_path: Path) -> None:
    path = tmp_path / "100% sure#1" / "signals.db"
    open_store(url_of(path)).dispose()
    engine = open_store(url_of(path), read_only=True)
    assert count_bars(engine) == 0
    engine.dispose()


def test_opening_a_current_database_loads_neither_alembic_nor_pandas(database: Path) -> None:
    code = (
        "import sys; from storage.engine import open_store; open_store(sys.argv[1]).dispose(); "
        "print([name for name in ('alembic', 'pandas', 'numpy', 'storage.tables') if name in sys.modules])"
    )
    command = [sys.executable, "-c", code, url_of(database)]
    printed = subprocess.run(command, check=True, capture_output=True, text=True, cwd=Path(__file__).parents[2]).stdout
    assert printed.strip() == "[]"


def test_the_log_grows_while_somebody_reads_and_is_cut_once_they_have_gone(store: Engine, database: Path) -> None:
    log = database.with_name(f"{database.name}-wal")
    with transaction(store) as conn:
        conn.execute(text("CREATE TABLE filling (filled BLOB)"))
    with closing(sqlite3.connect(database, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM bars").fetchone()
        fill(store, 2 * KEPT_WAL_BYTES)
    assert log.stat().st_size > 2 * KEPT_WAL_BYTES
    for _ in range(2):  # the first brings all of it into the database, the next begins the log anew
        fill(store, 1)
    assert log.stat().st_size <= KEPT_WAL_BYTES


def fill(engine: Engine, n_bytes: int) -> None:
    with transaction(engine) as conn:
        conn.execute(text("INSERT INTO filling VALUES (zeroblob(:n_bytes))"), {"n_bytes": n_bytes})


@pytest.mark.usefixtures("database")
def test_sqlite_logs_ahead_syncs_fully_and_checks_foreign_keys(store: Engine) -> None:
    with store.connect() as conn:
        pragmas = [conn.scalar(text(f"PRAGMA {name}")) for name in ("journal_mode", "synchronous", "foreign_keys")]
    assert pragmas == ["wal", 2, 1]


def test_many_may_open_a_new_database_at_once(tmp_path: Path) -> None:
    url = url_of(tmp_path / "signals.db")
    with ThreadPoolExecutor(max_workers=8) as pool:
        engines = list(pool.map(lambda _: open_store(url), range(8)))
    assert {count_bars(engine) for engine in engines} == {0}
    for engine in engines:
        engine.dispose()


def test_a_transaction_keeps_all_or_nothing(store: Engine) -> None:
    with pytest.raises(KeyError, match="the job failed"):
        do_then_fail(store, lambda conn: conn.execute(bars.insert(), [BAR]))
    assert count_bars(store) == 0
    with transaction(store) as conn:
        conn.execute(bars.insert(), [BAR])
    assert count_bars(store) == 1


def test_a_schema_change_is_rolled_back_too(store: Engine) -> None:
    with pytest.raises(KeyError, match="the job failed"):
        do_then_fail(store, lambda conn: conn.execute(text("CREATE TABLE half_done (a INTEGER)")))
    with reading(store) as conn:
        assert not store.dialect.has_table(conn, "half_done")


def test_a_transaction_keeps_other_writers_out_from_its_start(store: Engine, store_url: str) -> None:
    other = open_store(f"{store_url}?timeout=0.05")
    with transaction(store), pytest.raises(StoreError, match="stayed locked by another program"), transaction(other):
        pass
    with transaction(other) as conn:
        conn.execute(bars.insert(), [BAR])
    other.dispose()


def test_a_writer_sees_what_the_one_before_it_wrote(store: Engine, store_url: str) -> None:
    other = open_store(store_url)

    def count() -> int:
        with transaction(other) as conn:
            return conn.scalar(select(func.count()).select_from(bars)) or 0

    with ThreadPoolExecutor() as pool, transaction(store) as conn:
        waiting = pool.submit(count)
        time.sleep(0.2)
        conn.execute(bars.insert(), [BAR])
    assert waiting.result() == 1
    other.dispose()


def test_a_database_that_stays_locked_cannot_be_opened_for_writing(store: Engine, store_url: str) -> None:
    with transaction(store):
        assert "stayed locked by another program" in refusal(f"{store_url}?timeout=0.05")


def test_a_reader_neither_waits_for_a_writer_nor_sees_its_work_early(store: Engine, store_url: str) -> None:
    reader = open_store(f"{store_url}?timeout=0.05", read_only=True)
    with transaction(store) as conn:
        conn.execute(bars.insert(), [BAR])
        assert count_bars(reader) == 0
    assert count_bars(reader) == 1
    reader.dispose()


def test_a_reader_sees_one_state_from_its_first_query_on(store: Engine) -> None:
    query = select(func.count()).select_from(bars)
    with reading(store) as conn:
        before = conn.scalar(query)
        with transaction(store) as writer:
            writer.execute(bars.insert(), [BAR])
        assert conn.scalar(query) == before == 0
    assert count_bars(store) == 1


def test_a_read_only_store_refuses_to_write(store: Engine, store_url: str) -> None:
    reader = open_store(store_url, read_only=True)
    with pytest.raises(StoreError, match=r"is read-only|may not be used so"), transaction(reader) as conn:
        conn.execute(bars.insert(), [BAR])
    reader.dispose()
    assert count_bars(store) == 0


def test_a_read_only_store_is_never_made(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "signals.db"
    assert "does not exist yet" in refusal(url_of(path), read_only=True)
    assert not path.parent.exists()


def test_a_database_without_a_schema_is_not_given_one_by_a_reader(blank_url: str) -> None:
    if blank_url.startswith("sqlite"):
        Path(blank_url.removeprefix("sqlite:///")).touch()
    with pytest.raises(OldSchema, match="has schema none, older than"):
        open_store(blank_url, read_only=True)


def test_a_read_only_store_is_never_upgraded(tmp_path: Path) -> None:
    path = tmp_path / "signals.db"
    path.touch()
    assert "has schema none, older than" in refusal(url_of(path), read_only=True)
    assert path.read_bytes() == b""
    with pytest.raises(OldSchema, match="older than"):
        open_store(url_of(path), read_only=True)


def test_a_schema_newer_than_the_program_is_refused_and_left_alone(store: Engine, store_url: str) -> None:
    with transaction(store) as conn:
        conn.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    for read_only in (True, False):
        assert "has schema 9999, newer than" in refusal(store_url, read_only=read_only)
    with reading(store) as conn:
        assert conn.scalar(text("SELECT version_num FROM alembic_version")) == "9999"


def test_a_database_with_strange_tables_of_our_names_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "signals.db"
    engine = create_engine(url_of(path))
    with engine.begin() as conn:
        conn.execute(text("CREATE TABLE trades (a INTEGER)"))
    assert "it is not as reliance-daemon left it" in refusal(url_of(path))
    with engine.connect() as conn:
        assert conn.scalars(text("SELECT name FROM sqlite_master WHERE type = 'table'")).all() == ["trades"]
    engine.dispose()


@pytest.mark.usefixtures("database")
def test_a_disk_without_room_is_a_store_error(store: Engine) -> None:
    rows = [BAR | {"symbol": f"S{k}"} for k in range(2000)]
    event.listen(store, "begin", lambda conn: conn.execute(text("PRAGMA max_page_count = 60")))
    with pytest.raises(StoreError, match=r"can't grow .*; free some space"), transaction(store) as conn:
        conn.execute(bars.insert(), rows)
    assert count_bars(store) == 0


def test_a_database_in_memory_is_a_store_too() -> None:
    engine = open_store("sqlite://")
    with transaction(engine) as conn:
        conn.execute(bars.insert(), [BAR])
    assert count_bars(engine) == 1
    engine.dispose()


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "signals.db"
    path.write_text("Date,Open,High,Low,Close\n" * 500)
    for read_only in (True, False):
        assert "is damaged or no database" in refusal(url_of(path), read_only=read_only)


def test_damage_found_while_reading_is_a_store_error(store: Engine, database: Path) -> None:
    with transaction(store) as conn:
        conn.execute(bars.insert(), [BAR])
    store.dispose()
    content = bytearray(database.read_bytes())
    content[4096 : len(content)] = b"\xff" * (len(content) - 4096)
    database.write_bytes(content)
    with pytest.raises(StoreError, match="is damaged"):
        count_bars(open_store(url_of(database)))


def test_a_row_that_breaks_a_rule_is_one_line_and_undoes_the_transaction(store: Engine) -> None:
    rows = [BAR, BAR | {"symbol": "TCS.NS", "close": -1.0}]
    refused = r"refused a row \(.*bars_close"
    with pytest.raises(StoreError, match=refused), transaction(store) as conn:
        conn.execute(bars.insert(), rows)
    assert count_bars(store) == 0


def test_faulty_sql_is_not_blamed_on_the_database(store: Engine) -> None:
    with pytest.raises(Exception, match="nothing_of_the_kind") as caught, reading(store) as conn:
        conn.execute(text("SELECT * FROM nothing_of_the_kind"))
    assert not isinstance(caught.value, StoreError)


@pytest.mark.parametrize("url", ["signals.db", "", "sqlite:/signals.db", "postgresql://u:secret@host:port/x"])
def test_what_is_no_url_is_refused_with_an_example(url: str) -> None:
    assert "secret" not in refusal(url)
    assert "it must be a database URL, e.g. sqlite:///" in refusal(url)


@pytest.mark.parametrize("url", ["nosql://localhost/x", "postgresql+nodriver://user:secret@localhost/x"])
def test_a_missing_driver_is_named_and_a_password_is_not(url: str) -> None:
    message = refusal(url)
    assert "needs a driver" in message
    assert "secret" not in message


def test_a_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").touch()
    assert "can't be opened" in refusal(url_of(tmp_path / "data" / "signals.db"))
    assert "can't be opened" in refusal(url_of(tmp_path))


def test_a_database_opened_by_a_read_only_url_is_refused(database: Path) -> None:
    assert "is read-only" in refusal(f"sqlite:///file:{database}?mode=ro&uri=true")


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that any user can reach: pytest's own belongs to one user alone."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder
        folder.chmod(0o755)


@contextmanager
def as_plain_user() -> Iterator[None]:
    """Root may write what is read-only, so the permissions are put to the test as nobody."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(user)


@pytest.mark.parametrize(
    ("file_mode", "folder_mode"), [(0o444, 0o555), (0o444, 0o777), (0o666, 0o555)], ids=["both", "file", "folder"]
)
def test_a_read_only_file_or_folder_is_refused(
    empty_database: Path, open_folder: Path, file_mode: int, folder_mode: int
) -> None:
    path = open_folder / "signals.db"
    path.write_bytes(empty_database.read_bytes())
    path.chmod(file_mode)
    open_folder.chmod(folder_mode)
    with as_plain_user():
        message = refusal(url_of(path))
    assert "is read-only" in message
    assert "give this user write permission" in message


def test_a_new_database_in_a_read_only_folder_is_refused(open_folder: Path) -> None:
    open_folder.chmod(0o555)
    with as_plain_user():
        assert "is read-only" in refusal(url_of(open_folder / "signals.db"))
        assert "is read-only" in refusal(url_of(open_folder / "new" / "signals.db"))


def test_a_file_that_may_not_be_read_is_refused(empty_database: Path, open_folder: Path) -> None:
    path = open_folder / "signals.db"
    path.write_bytes(empty_database.read_bytes())
    path.chmod(0o600 if os.geteuid() == 0 else 0)
    open_folder.chmod(0o777)
    with as_plain_user():
        assert "can't be opened" in refusal(url_of(path))
