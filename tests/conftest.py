"""What tests of every floor share."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

import daemon  # noqa: F401  # before pandas, which it loads in its own way
from tests.postgresql_server import PostgresqlServer, find_binaries, postgresql_server

# A busy machine is no failure, so examples have no deadline; the time limit of each test still holds.
settings.register_profile("steady", deadline=None)
settings.load_profile("steady")


@pytest.fixture(scope="session")
def market_folder() -> Path:
    """The folder of real daily bars that lies beside a development checkout; the test skips without it."""
    folder = (Path(__file__).parents[1] / "../shared/market").resolve()
    if not folder.is_dir():
        pytest.skip("no ../shared/market beside this checkout")
    return folder


@pytest.fixture(scope="session")
def server() -> Iterator[PostgresqlServer]:
    """A running PostgreSQL; the test skips where none is installed."""
    binaries = find_binaries()
    if binaries is None:
        pytest.skip("no PostgreSQL server is installed here (initdb): Debian's package is postgresql")
    with postgresql_server(binaries) as running:
        yield running
