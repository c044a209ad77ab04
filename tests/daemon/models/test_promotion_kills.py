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
    ("daemon.models.shadows.write_drift", "after"),
)
EARLY, AFTER_EARLY = "2021-10-06 17:00", "2021-10-07 08:50"
EARLY_POINTS = (
    ("daemon.models.watch.write_live_loss", "after"),
    ("daemon.sessions.reconcile.open_desk", "after"),
    *POINTS[:8],
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


def turning(folder: Path, services_at: ServicesAt) -> None:
    """Nothing more: what the last month left undone is done at its turn."""


def alarmed(folder: Path, services_at: ServicesAt) -> None:
    """A session is decided, in whose evening another version is to be made for an alarm that has rung by then."""
    with services_at(folder, "2021-10-06 08:50") as services:
        reconcile(services)
    with opened(folder / "state" / "signals.db", mode="rw") as database:
        database.execute("UPDATE live_loss SET alarm = 1 WHERE session = '2021-10-05'")
    config = folder / "config.toml"
    config.write_text(f"{config.read_text()}\n[drift]\nearly_retrain = true\n")


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


def kill(folder: Path, moment: str, point: tuple[str, str]) -> None:
    program = folder.parent / "program.py"
    program.write_text(PROGRAM)
    call = [sys.executable, str(program), str(folder), moment, *point]
    ended = subprocess.run(call, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, check=False)
    assert ended.returncode == -signal.SIGKILL, (point, ended.stderr.decode()[-2000:])


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("moments", "session", "points", "before"),
    [
        ((TURN,), "2021-11-01", POINTS, turning),
        ((EARLY, AFTER_EARLY), "2021-10-07", EARLY_POINTS, alarmed),
    ],
    ids=["turn", "early"],
)
def test_a_kill_at_any_point_of_a_change_of_versions_leaves_a_whole_one_serving(
    moments: tuple[str, ...],
    session: str,
    points: tuple[tuple[str, str], ...],
    before: Callable[[Path, ServicesAt], None],
    copy: Path,
    services_at: ServicesAt,
    tmp_path: Path,
) -> None:
    before(copy, services_at)
    undisturbed = Path(shutil.copytree(copy, tmp_path / "undisturbed"))
    for moment in moments:
        with services_at(undisturbed, moment) as services:
            reconcile(services)
    for place, point in enumerate(points):
        folder = Path(shutil.copytree(copy, tmp_path / f"killed-{place}"))
        kill(folder, moments[0], point)
        champion = champion_of(folder, session)
        assert champion is not None
        for moment in moments:
            with services_at(folder, moment) as services:
                assert list(faults(services.models)) == []
                assert load_model(services.models, champion).members
                reconcile(services)
        assert said(folder) == said(undisturbed)
        assert happened(folder) == happened(undisturbed)
