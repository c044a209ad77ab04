"""What a server does that no file does: it refuses, goes away, comes back, and is reached from other hosts."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, create_engine, func, inspect, make_url, select, text

from storage.account_tables import account
from storage.database_check import database_faults
from storage.engine import StoreError, open_store, reading, transaction
from storage.errors import HeldElsewhere
from storage.migrations import upgrade
from storage.schema import METADATA
from storage.tables import bars, data_dictionary
from storage.views import VIEWS
from tests.postgresql_server import OWNER, PASSWORD, PostgresqlServer

pytestmark = pytest.mark.slow

CATALOGUE = {
    "constraints": "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint "
    "WHERE connamespace = 'public'::regnamespace",
    "indices": "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'",
    "columns": "SELECT table_name, column_name, data_type, is_nullable, column_default FROM information_schema.columns "
    "WHERE table_schema = 'public' AND table_name IN (SELECT tablename FROM pg_tables)",
    "comments": "SELECT objoid::regclass::text, objsubid, description FROM pg_description "
    "WHERE classoid = 'pg_class'::regclass AND objoid >= 16384",
}
KINDS = {"DOUBLE": {"DOUBLE PRECISION"}, "INTEGER": {"INTEGER", "BIGINT"}, "BIGINT": {"BIGINT"}, "TEXT": {"TEXT"}}
MARK = {
    "origin": "live",
    "session": date(2021, 10, 1),
    **dict.fromkeys(("equity", "exposure", "peak_equity", "drawdown_pct", "receivable"), 0.0),
    "positions": 0,
}


@pytest.fixture
def url(server: PostgresqlServer, empty_on_server: str) -> Iterator[str]:
    """A database of today's schema on the server."""
    made = server.new_database(template=empty_on_server)
    yield made
    server.drop(made)


@pytest.fixture
def on_server(url: str) -> Iterator[Engine]:
    engine = open_store(url)
    yield engine
    engine.dispose()


def refusal(url: str, *, read_only: bool = False, owner: str | None = None) -> str:
    """What opening says: one line with the address and without the password."""
    with pytest.raises(StoreError) as caught:
        open_store(url, read_only=read_only, owner=owner).dispose()
    message = str(caught.value)
    assert message.startswith("storage.url postgresql://")
    assert "\n" not in message
    assert PASSWORD not in message
    return message


def catalogue(conn: Connection) -> dict[str, set[tuple[Any, ...]]]:
    found = {what: {tuple(row) for row in conn.exec_driver_sql(query)} for what, query in CATALOGUE.items()}
    return {what: {row for row in rows if row[0] != "alembic_version"} for what, rows in found.items()}


def test_the_migrations_make_on_a_server_too_what_the_code_has(server: PostgresqlServer, on_server: Engine) -> None:
    from_code = create_engine(server.new_database())
    METADATA.create_all(from_code)
    with from_code.connect() as conn, reading(on_server) as migrated:
        expected, found = catalogue(conn), catalogue(migrated)
    from_code.dispose()
    for what, rows in expected.items():
        assert len(rows) > 0
        assert found[what] >= rows
    assert found["constraints"] == expected["constraints"]


def test_every_column_of_a_view_has_the_type_that_the_dictionary_says(on_server: Engine) -> None:
    with reading(on_server) as conn:
        said = {
            (row.object_name, row.column_name): row.type
            for row in conn.execute(select(data_dictionary))
            if row.object_name.startswith("v_") and row.column_name
        }
        there = {
            (view.name, column["name"]): str(column["type"]).removesuffix(' COLLATE "C"')
            for view in VIEWS
            for column in inspect(conn).get_columns(view.name)
        }
    assert {key for key, kind in said.items() if there[key] not in KINDS[kind]} == set()
    assert set(said) == set(there)


def test_texts_are_sorted_as_in_sqlite_whatever_the_language_of_the_server(on_server: Engine) -> None:
    symbols = ["b", "A", "a", "B", "^X", "a.NS", "a-B", "é", "Z"]
    bar = {"session": date(2021, 10, 1), "seen_at": datetime(2021, 10, 1, tzinfo=UTC), "provider": "test"}
    with transaction(on_server) as conn:
        conn.execute(bars.insert(), [bar | {"symbol": name, "close": 1.0, "adj_close": 1.0} for name in symbols])
        assert conn.scalars(select(bars.c.symbol).order_by(bars.c.symbol)).all() == sorted(symbols)
        server_order = conn.scalars(text("SELECT x FROM (VALUES ('b'), ('A'), ('a')) AS v (x) ORDER BY x")).all()
        assert server_order == ["a", "A", "b"]  # else this server shows nothing


@given(cash=st.floats(-1e15, 1e15, exclude_min=True, exclude_max=True))
def test_every_number_comes_back_to_the_bit(shared_store: Engine, cash: float) -> None:
    with shared_store.connect() as conn, conn.begin() as undone:
        conn.execute(account.insert(), [MARK | {"cash": cash}])
        assert conn.scalar(select(account.c.cash)) == cash
        undone.rollback()


@pytest.mark.parametrize("no_number", [float("nan"), float("inf"), float("-inf")])
def test_what_is_no_number_is_refused(on_server: Engine, no_number: float) -> None:
    with pytest.raises(StoreError, match=r"refused a row \(.*account_cash"), transaction(on_server) as conn:
        conn.execute(account.insert(), [MARK | {"cash": no_number}])


def test_a_second_instance_is_told_who_the_first_is(url: str) -> None:
    first = open_store(url, owner="process 7 on albatross")
    with pytest.raises(HeldElsewhere, match="is worked on by process 7 on albatross already"):
        open_store(url, owner="process 8 on blackbird")
    open_store(url).dispose()  # a short command beside it, such as `halt`
    open_store(url, read_only=True).dispose()
    first.dispose()
    open_store(url, owner="process 8 on blackbird").dispose()


def test_instances_with_databases_of_their_own_share_a_server(server: PostgresqlServer, url: str) -> None:
    other = server.new_database()
    engines = [open_store(url, owner="process 7 on albatross"), open_store(other, owner="process 8 on blackbird")]
    for engine in engines:
        engine.dispose()
    server.drop(other)


def test_of_many_that_come_at_once_one_instance_is_let_in(server: PostgresqlServer) -> None:
    url = server.new_database()

    def come(number: int) -> Engine | None:
        try:
            return open_store(url, owner=f"process {number} on albatross")
        except HeldElsewhere:
            return None

    with ThreadPoolExecutor(max_workers=6) as pool:
        engines = [engine for engine in pool.map(come, range(6)) if engine is not None]
    assert len(engines) == 1
    engines[0].dispose()
    server.drop(url)


def end_sessions(server: PostgresqlServer, url: str) -> None:
    name = make_url(url).database
    server.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")


def test_an_instance_takes_its_lock_again_after_the_server_has_lost_it(server: PostgresqlServer, url: str) -> None:
    first = open_store(url, owner="process 7 on albatross")
    end_sessions(server, url)
    with transaction(first) as conn:
        assert conn.scalar(select(func.count()).select_from(bars)) == 0
    assert "process 7 on albatross" in refusal(url, owner="process 8 on blackbird")
    first.dispose()


def test_an_instance_that_another_has_replaced_meanwhile_writes_nothing_more(
    server: PostgresqlServer, url: str
) -> None:
    first = open_store(url, owner="process 7 on albatross")
    end_sessions(server, url)
    second = open_store(url, owner="process 8 on blackbird")
    for _ in range(2):
        with pytest.raises(HeldElsewhere, match="process 8 on blackbird"), transaction(first):
            pass
    second.dispose()
    with transaction(first):
        pass
    first.dispose()


def write_and_cut_off(conn: Connection, server: PostgresqlServer) -> None:
    conn.execute(account.insert(), [MARK | {"cash": 1.0}])
    server.stop()
    conn.execute(select(account.c.cash))


def test_a_server_that_is_gone_is_one_line_and_one_that_is_back_is_used_again(
    server: PostgresqlServer, url: str
) -> None:
    engine = open_store(url, owner="process 7 on albatross")
    gone = r"can't be used \(.*\); check that the database server runs"
    with pytest.raises(StoreError, match=gone), transaction(engine) as conn:
        write_and_cut_off(conn, server)
    try:
        with pytest.raises(StoreError, match=gone), transaction(engine):
            pass
        with pytest.raises(StoreError, match=gone), reading(engine) as conn:
            conn.execute(select(account.c.cash))
        assert "can't be used" in refusal(url)
    finally:
        server.start()
    with transaction(engine) as conn:
        assert conn.scalars(select(account.c.cash)).all() == []
        conn.execute(account.insert(), [MARK | {"cash": 1.0}])
    assert "process 7 on albatross" in refusal(url, owner="process 8 on blackbird")
    engine.dispose()


def test_what_was_committed_survives_a_power_cut_of_the_server(server: PostgresqlServer, url: str) -> None:
    engine = open_store(url)
    with transaction(engine) as conn:
        conn.execute(account.insert(), [MARK | {"cash": 1.0}])
    server.stop()
    server.start()
    with reading(engine) as conn:
        assert conn.scalars(select(account.c.cash)).all() == [1.0]
    engine.dispose()


def test_a_wrong_password_is_one_line_that_does_not_show_it(url: str) -> None:
    wrong = make_url(url).set(password="cAnAry").render_as_string(hide_password=False)
    message = refusal(wrong)
    assert 'password authentication failed for user "daemon"' in message
    assert "cAnAry" not in message


def test_a_database_that_is_not_there_is_named(server: PostgresqlServer) -> None:
    assert 'database "nowhere" does not exist' in refusal(server.url("nowhere"))


def test_a_role_that_may_only_read_reads_and_is_refused_the_rest(
    server: PostgresqlServer, url: str, on_server: Engine
) -> None:
    name = make_url(url).database or ""
    server.execute(f"DROP OWNED BY {READER}", database=name) if READER in roles(server) else server.execute(
        f"CREATE ROLE {READER} LOGIN PASSWORD '{PASSWORD}'"
    )
    server.execute(
        f"ALTER DEFAULT PRIVILEGES FOR ROLE {OWNER} IN SCHEMA public GRANT SELECT ON TABLES TO {READER}",
        f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {READER}",
        database=name,
    )
    with transaction(on_server) as conn:
        upgrade(conn)  # makes the views anew: the rights must come with them
    mine = server.url(name, role=READER)
    assert database_faults(mine) == []
    reader = open_store(mine, read_only=True)
    with reading(reader) as conn:
        assert [conn.execute(text(f"SELECT * FROM {view.name}")).all() for view in VIEWS] == [[]] * len(VIEWS)
    reader.dispose()
    assert "may not be used so (permission denied for table alembic_version)" in refusal(mine)
    server.execute(f"DROP OWNED BY {READER}", database=name)


READER = "looker"


def roles(server: PostgresqlServer) -> set[str]:
    engine = create_engine(server.url("postgres"))
    with engine.connect() as conn:
        found = set(conn.scalars(text("SELECT rolname FROM pg_roles")))
    engine.dispose()
    return found


def test_a_role_without_the_right_to_make_tables_is_told_so(server: PostgresqlServer) -> None:
    url = server.new_database()
    server.execute(f"ALTER DATABASE {make_url(url).database} OWNER TO postgres")
    assert "may not be used so (permission denied for schema public)" in refusal(url)
    server.drop(url)


def test_a_users_view_on_ours_holds_up_an_upgrade_with_the_remedy(on_server: Engine) -> None:
    with transaction(on_server) as conn:
        conn.execute(text("CREATE VIEW v_mine AS SELECT session FROM v_equity"))
    in_the_way = r"can't be upgraded \(cannot drop view v_equity .*; drop what stands on"
    with pytest.raises(StoreError, match=in_the_way), transaction(on_server) as conn:
        upgrade(conn)


def test_a_broken_page_is_found_by_the_check(server: PostgresqlServer, url: str, on_server: Engine) -> None:
    assert database_faults(url) == []
    with transaction(on_server) as conn:
        conn.execute(account.insert(), [MARK | {"cash": 1.0}])
        path = Path(conn.scalar(text("SELECT pg_relation_filepath('account')")) or "")
    server.execute("CHECKPOINT")
    server.stop()
    broken = server.folder / "data" / path
    broken.write_bytes(b"\xff" * len(broken.read_bytes()))
    server.start()
    (fault,) = database_faults(url)
    assert "is damaged on its server (invalid page in block 0" in fault.seen
    assert "restore a dump" in fault.remedy
