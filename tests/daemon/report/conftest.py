"""A lived installation that has a backtest too, what a report reads of it, and the page that this makes."""

import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import date
from pathlib import Path

import pytest

from daemon.backtests.backtest import backtest
from daemon.report.material import Asked, Material, read_material
from daemon.services import Services

ServicesAt = Callable[..., AbstractContextManager[Services]]
NOW = "2021-10-05 18:00"


@pytest.fixture(scope="session")
def replayed(lived: Path, services_at: ServicesAt, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The lived installation with a backtest of the sessions before the live ones."""
    folder = Path(shutil.copytree(lived, tmp_path_factory.mktemp("report") / "replayed"))
    with services_at(folder, NOW) as services:
        backtest(services, first=date(2021, 9, 1), last=date(2021, 9, 27))
    return folder


@pytest.fixture(scope="session")
def material(replayed: Path, services_at: ServicesAt) -> Material:
    """All that a report shows."""
    with services_at(replayed, NOW) as services:
        return read_material(services, Asked())


@pytest.fixture(scope="session")
def nothing(services_at: ServicesAt, tmp_path_factory: pytest.TempPathFactory, lived: Path) -> Material:
    """The same of an installation that has not done anything yet."""
    folder = tmp_path_factory.mktemp("nothing")
    shutil.copy(lived / "config.toml", folder)
    with services_at(folder, NOW) as services:
        return read_material(services, Asked())
