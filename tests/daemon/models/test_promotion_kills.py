"""A kill at any named point of the turn of a month leaves a whole version serving; the next start goes on from it."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from daemon.config.settings import load_settings
from daemon.models.loading import load_model
from daemon.models.standing import standing_at
from daemon.services import Services, recipe_of
from daemon.sessions.reconcile import reconcile
from storage.engine import open_store, reading
from storage.model_folder import faults
from storage.promotion_store import read_model_events
from storage.sqlite_file import opened

ROOT = Path(__file__).parents[3]
ServicesAt = Callable[..., AbstractContextManager[Services]]
TURN = "2021-11-01 08:50"
POINTS = (
    ("daemon.models.factory.ModelFactory._train", "before"),
    ("daemon.models.factory.ModelFactory._golden", "before"),
    ("storage.model_store.ModelStore.publish", "before"),
    ("storage.model_store.ModelStore.publish", "after"),
    ("daemon.models.shelf.write_model", "before"),
    ("daemon.models.shelf.write_model", "after"),
    ("daemon.models.serving.add_model_events", "before"),
    ("daemon.models.serving.add_model_events", "after"),
    ("daemon.sessions.reconcile.write_decisions", "after"),
    ("daemon.models.shadows.write_shadows", "after"),
)
"""Function, and whether the kill comes before it does its work or after, inside the transaction where there is one."""
PROGRAM = """
import os, pathlib, pkgutil, signal, sys
from tests.daemon.conftest import _services_at
from daemon.sessions.reconcile import reconcile

folder, moment, name, when = sys.argv[1:]
place, _, last = name.rpartition(".")
owner = pkgutil.resolve_name(place)
real = getattr(owner, last)

def killed(*args, **kwargs):
    if when == "after":
        real(*args, **kwargs)
    os.kill(os.getpid(), signal.SIGKILL)

if __name__ == "__main__":
    setattr(owner, last, killed)
    with _services_at(pathlib.Path(folder), moment) as services:
        reconcile(services)
"""


def said(folder: Path) -> list[Any]:
    with opened(folder / "state" / "signals.db") as database:
        query = "SELECT session, symbol, label, probability, model_id FROM forecasts ORDER BY 1, 2, 3"
        return database.execute(query).fetchall()


def happened(folder: Path) -> list[Any]:
    with opened(folder / "state" / "signals.db") as database:
        return database.execute("SELECT session, kind, model_id, rival_id FROM model_events ORDER BY number").fetchall()


def champion_of(folder: Path, session: str) -> str | None:
    settings = load_settings(folder / "config.toml", {})
    engine = open_store(settings.storage.database_url)
    with reading(engine) as conn:
        events = read_model_events(conn, "live")
    engine.dispose()
    day = events[0].session.fromisoformat(session)
    return standing_at(events, day, recipe=recipe_of(settings).digest()).champion


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_kill_at_any_point_of_the_turn_of_a_month_leaves_a_whole_version_serving(
    copy: Path, services_at: ServicesAt, tmp_path: Path
) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    undisturbed = Path(shutil.copytree(copy, tmp_path / "undisturbed"))
    with services_at(undisturbed, TURN) as services:
        reconcile(services)
    for place, (name, when) in enumerate(POINTS):
        folder = Path(shutil.copytree(copy, tmp_path / f"killed-{place}"))
        call = [sys.executable, str(program), str(folder), TURN, name, when]
        ended = subprocess.run(
            call, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, check=False
        )
        assert ended.returncode == -signal.SIGKILL, (name, when, ended.stderr.decode()[-2000:])
        champion = champion_of(folder, "2021-11-01")
        assert champion is not None
        with services_at(folder, TURN) as services:
            assert list(faults(services.models)) == []
            assert load_model(services.models, champion).members
            reconcile(services)
        assert said(folder) == said(undisturbed)
        assert happened(folder) == happened(undisturbed)
