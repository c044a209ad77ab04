"""A store for each test, copied from one that was made once."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, make_url

from storage.engine import open_store, transaction
from tests.postgresql_server import PostgresqlServer


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("store") / "signals.db"
    open_store(f"sqlite:///{path}").dispose()
    return path


@pytest.fixture
def database(empty_database: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(empty_database, tmp_path / "signals.db"))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """What holds for a store holds on a server too; tests that look at the file itself are SQLite's alone."""
    if "store_kind" in metafunc.fixturenames and "database" not in metafunc.fixturenames:
        server = pytest.param("postgresql", marks=pytest.mark.slow)
        metafunc.parametrize("store_kind", ["sqlite", server], indirect=True, scope="session")


@pytest.fixture(scope="session")
def store_kind(request: pytest.FixtureRequest) -> str:
    return str(getattr(request, "param", "sqlite"))


@pytest.fixture(scope="session")
def empty_on_server(server: PostgresqlServer) -> str:
    """The name of a database of today's schema, which others are copied from."""
    url = server.new_database()
    open_store(url).dispose()
    return str(make_url(url).database)


@pytest.fixture
def store_url(store_kind: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """A database of today's schema without rows: SQLite's, and in slow tests PostgreSQL's."""
    if store_kind == "sqlite":
        yield f"sqlite:///{request.getfixturevalue('database')}"
        return
    server = request.getfixturevalue("server")
    url = server.new_database(template=request.getfixturevalue("empty_on_server"))
    yield url
    server.drop(url)


@pytest.fixture
def blank_url(store_kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """A database without any schema."""
    if store_kind == "sqlite":
        yield f"sqlite:///{tmp_path / 'blank.db'}"
        return
    server = request.getfixturevalue("server")
    url = server.new_database()
    yield url
    server.drop(url)


@pytest.fixture
def store(store_url: str) -> Iterator[Engine]:
    engine = open_store(store_url)
    yield engine
    engine.dispose()


@pytest.fixture
def conn(store: Engine) -> Iterator[Connection]:
    """A connection in a write transaction, as the stores are given one."""
    with transaction(store) as connection:
        yield connection


@pytest.fixture(scope="module")
def shared_store(
    store_kind: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Engine]:
    """For hypothesis: each example works in a transaction that it rolls back."""
    if store_kind == "sqlite":
        empty = request.getfixturevalue("empty_database")
        url = f"sqlite:///{shutil.copy(empty, tmp_path_factory.mktemp('shared') / 'signals.db')}"
    else:
        url = request.getfixturevalue("server").new_database(template=request.getfixturevalue("empty_on_server"))
    engine = open_store(url)
    yield engine
    engine.dispose()
