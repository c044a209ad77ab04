"""A store for each test, copied from one that was made once."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine

from storage.engine import open_store, transaction


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("store") / "signals.db"
    open_store(f"sqlite:///{path}").dispose()
    return path


@pytest.fixture
def database(empty_database: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(empty_database, tmp_path / "signals.db"))


@pytest.fixture
def store(database: Path) -> Iterator[Engine]:
    engine = open_store(f"sqlite:///{database}")
    yield engine
    engine.dispose()


@pytest.fixture
def conn(store: Engine) -> Iterator[Connection]:
    """A connection in a write transaction, as the stores are given one."""
    with transaction(store) as connection:
        yield connection


@pytest.fixture(scope="module")
def shared_store(empty_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """For hypothesis: each example works in a transaction that it rolls back."""
    path = shutil.copy(empty_database, tmp_path_factory.mktemp("shared") / "signals.db")
    engine = open_store(f"sqlite:///{path}")
    yield engine
    engine.dispose()
