"""A cheap installation that has lived for two sessions, and what the next four made of it when nothing went wrong."""

import shutil
from datetime import date
from pathlib import Path

import pytest

from daemon.sessions.reconcile import reconcile
from tests.daemon.faults.cheap import Rows, rows_of, write_cheap
from tests.daemon.faults.world import BEGIN, END, ServicesAt, World, live


@pytest.fixture(scope="session")
def two_lived(tmp_path_factory: pytest.TempPathFactory, services_at: ServicesAt) -> Path:
    """It decided and settled 2021-10-04 and 2021-10-05."""
    folder = write_cheap(tmp_path_factory.mktemp("two"), last=date(2021, 12, 31))
    for moment in ("04 08:50", "04 17:00", "05 08:50", "05 17:00"):
        with services_at(folder, f"2021-10-{moment}") as services:
            reconcile(services)
    return folder


@pytest.fixture
def cheap(two_lived: Path, tmp_path: Path) -> Path:
    """A copy of it, to be changed."""
    return Path(shutil.copytree(two_lived, tmp_path / "cheap"))


@pytest.fixture(scope="session")
def undisturbed(two_lived: Path, tmp_path_factory: pytest.TempPathFactory, services_at: ServicesAt) -> Rows:
    """Its rows after the four sessions from BEGIN to END, with nothing in their way."""
    folder = Path(shutil.copytree(two_lived, tmp_path_factory.mktemp("undisturbed") / "cheap"))
    live(folder, services_at, World(BEGIN), END)
    return rows_of(folder)
