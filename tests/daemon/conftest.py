"""A whole installation in a temporary folder: made-up bars in files, a small ensemble, a clock that stands still."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from loguru import logger

from daemon.clock import FixedClock
from daemon.config.settings import load_settings
from daemon.console.progress import Progress, silent
from daemon.services import Services
from daemon.sessions.reconcile import reconcile
from ensemble.labels import LABELS
from ensemble.members.specs import LogitSpec, MemberSpec, TreesSpec
from ensemble.members.tasks import TrainingTask, task_key
from ensemble.sessions import load_calendar
from ensemble.windows import Window
from storage.engine import open_store
from storage.feeds import open_feed
from storage.model_store import ModelStore
from tests.daemon.made_up_bars import walk

CONFIG = """
[market]
symbols = ["AAA.NS"]
peers = ["BBB.NS"]
context = { XNYS = ["ETF"], XNSE = ["^INDEX"] }
history_start = 2018-01-01

[feed]
provider = "files"
files = { path = "bars" }

[ensemble]
window_years = 2
min_sessions = 300
stack = { train_months = 1, gate_months = 1 }
members = [
  { name = "small", units = [4], sequence_steps = 10, warmup_steps = 2, max_epochs = 2 },
  { preset = "logit", penalty = 10 },
  { preset = "lightgbm", rounds = 5 },
]

[report]
enabled = false

[workers]
processes = 1

[signals]
label = "gap"
min_confidence = 0.5

[labels.barrier]
max_holding_sessions = 3

[risk]
max_holding_sessions = 3
"""

SESSIONS = ("2021-09-28", "2021-09-29", "2021-09-30", "2021-10-01", "2021-10-04", "2021-10-05")
ServicesAt = Callable[..., AbstractContextManager[Services]]


@pytest.fixture(scope="session")
def sessions() -> tuple[str, ...]:
    """The sessions that `lived` lived through."""
    return SESSIONS


@pytest.fixture(scope="session")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An installation that decided and settled SESSIONS one by one, a month's turn among them."""
    folder = _write_installation(tmp_path_factory.mktemp("lived"))
    for session in SESSIONS:
        for moment in ("08:50", "17:00"):
            with _services_at(folder, f"{session} {moment}") as services:
                reconcile(services)
    return folder


@pytest.fixture
def copy(lived: Path, tmp_path: Path) -> Path:
    """A copy of the lived installation, to be changed."""
    return Path(shutil.copytree(lived, tmp_path / "copy"))


@pytest.fixture(scope="session")
def write_installation() -> Callable[[Path], Path]:
    """write_installation(folder): bars and configuration in it; the same ones every time."""
    return _write_installation


@pytest.fixture(scope="session")
def services_at() -> ServicesAt:
    """services_at(folder, "2021-10-01 08:50"): everything a job needs, as of that moment in India."""
    return _services_at


@pytest.fixture(scope="session")
def make_tasks() -> Callable[..., list[TrainingTask]]:
    """make_tasks(6, rounds=50): members to train on one small window, a logit and then trees of different seeds."""
    return _make_tasks


def _make_tasks(count: int, rounds: int = 20) -> list[TrainingTask]:
    random = np.random.default_rng(1)
    values = random.normal(size=(2, 400, 6)).astype(np.float32)
    labels = (random.random((2, 400, len(LABELS))) < 0.5).astype(np.float32)
    window = Window(values, labels, 3)
    specs: list[MemberSpec] = [LogitSpec(), *[TreesSpec(rounds=rounds)] * (count - 1)]
    return [
        TrainingTask(spec, window, task_key(spec, seed, window_digest="0", code_version="1"))
        for seed, spec in enumerate(specs)
    ]


def _write_installation(folder: Path) -> Path:
    random = np.random.default_rng(4)
    home = load_calendar("XNSE", first=date(2018, 1, 1), last=date(2021, 12, 31)).sessions
    abroad = pd.date_range("2018-01-01", "2021-12-31", freq="B")
    shared = pd.Series(random.normal(0, 0.01, len(abroad)), index=abroad)
    (folder / "bars").mkdir(parents=True)
    for name, days in (("AAA.NS", home), ("BBB.NS", home), ("^INDEX", home), ("ETF", abroad)):
        moves = shared.reindex(days).fillna(0).to_numpy()
        walk(days, moves, random).to_csv(folder / "bars" / f"{name}.csv", index_label="Date", date_format="%Y-%m-%d")
    (folder / "config.toml").write_text(CONFIG)
    return folder


@contextmanager
def _services_at(folder: Path, india: str, progress: Progress = silent) -> Iterator[Services]:
    settings = load_settings(folder / "config.toml", {})
    settings.storage.state_dir.mkdir(exist_ok=True)
    engine = open_store(settings.storage.database_url)
    instant = pd.Timestamp(india, tz="Asia/Kolkata").to_pydatetime().astimezone(UTC)
    try:
        models, feed = ModelStore(settings.storage.models_dir), open_feed(settings.feed)
        yield Services(settings, FixedClock(instant), engine, models, feed, progress)
    finally:
        engine.dispose()


@pytest.fixture
def lines() -> Iterator[list[str]]:
    """What is logged meanwhile, message by message."""
    found: list[str] = []
    handler = logger.add(lambda line: found.append(str(line).strip()), format="{message}")
    yield found
    logger.remove(handler)
