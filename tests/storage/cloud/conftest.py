"""A machine with models and a backup, as small as can be."""

import shutil
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from storage.backups import back_up
from storage.cloud.push import Local
from storage.engine import open_store, transaction
from storage.model_store import ModelStore
from storage.record_store import records_of
from storage.run_store import Run, RunStatus, write_runs

NOW = datetime(2021, 10, 5, 12, tzinfo=UTC)
BEGUN = datetime(2021, 9, 28, 3, 20, tzinfo=UTC)


def publish(models: ModelStore, month: str, member: str) -> str:
    """A version of one member, with its parts."""
    for key in (member, f"combiner-{month}"):
        models.put_part(key, {"weights.npz": key.encode() * 100, "member.json": b"{}"})
    return models.publish({"month": month, "members": [["logit", [member]]], "combiner": f"combiner-{month}"})


def settled(machine: Local, database: Path, session: date) -> Local:
    """The same machine after that session, with a backup of it."""
    engine = open_store(f"sqlite:///{database}")
    with transaction(engine) as conn:
        write_runs(conn, [Run("live", "settle", session, RunStatus.DONE, NOW, NOW)])
    engine.dispose()
    folder = machine.models.root.parent / "backups"
    at = datetime(session.year, session.month, session.day, 12, tzinfo=UTC)
    return replace(machine, backup=back_up(database, folder, at=at, keep=0), settled=session)


@pytest.fixture(scope="session")
def machine_template(empty_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("machine")
    models = ModelStore(folder / "models")
    publish(models, "2021-10", "member-a")
    records_of(models).put("first-seen.npz", b"ratios")
    shutil.copy(empty_database, folder / "signals.db")
    settled(Local(models, None, None, None, None), folder / "signals.db", date(2021, 10, 4))
    return folder


@pytest.fixture
def machine(machine_template: Path, tmp_path: Path) -> Local:
    """One version serves, and one session is settled."""
    folder = Path(shutil.copytree(machine_template, tmp_path / "machine"))
    models = ModelStore(folder / "models")
    (model_id,) = models.model_ids()
    return settled(Local(models, model_id, None, BEGUN, None), folder / "signals.db", date(2021, 10, 4))
