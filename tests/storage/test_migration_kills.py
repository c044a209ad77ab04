"""An upgrade that is killed anywhere leaves the old database, which the next start upgrades as if nothing had been."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from storage.migrations import HEAD_REVISION
from tests.storage.kill_points import ROOT
from tests.storage.test_migrations import OLD_ACCOUNT

# Forked, because starting Python and importing all anew for each kill would take a second each time.
PROGRAM = """
import json, os, shutil, signal, sys
from pathlib import Path
from sqlalchemy import Engine, event
import storage.dictionary, storage.migrations, storage.views
from storage.engine import open_store
from storage.sqlite_file import opened
from tests.storage.old_database import make_old

folder, revision, rows, killing = Path(sys.argv[1]), sys.argv[2], json.loads(sys.argv[3]), sys.argv[4]
make_old(f"sqlite:///{folder / 'old.db'}", revision, rows)

def dump(path):
    with opened(path) as database:
        return [*database.iterdump()]

def upgrade(path):
    open_store(f"sqlite:///{path}").dispose()

def kill_at(number):
    def count(conn, cursor, statement, *_):
        nonlocal number
        number -= statement.startswith(killing)
        if number < 0:
            os.kill(os.getpid(), signal.SIGKILL)
    event.listen(Engine, "before_cursor_execute", count)

before = dump(folder / "old.db")
shutil.copy(folder / "old.db", folder / "undisturbed.db")
upgrade(folder / "undisturbed.db")
expected, wrong = dump(folder / "undisturbed.db"), []
for number in range(2000):
    path = Path(shutil.copy(folder / "old.db", folder / "killed.db"))
    child = os.fork()
    if child == 0:
        kill_at(number)
        upgrade(path)
        os._exit(0)
    if os.WIFEXITED(os.waitpid(child, 0)[1]):
        break
    wrong += [f"{number}: left"] * (dump(path) != before)
    upgrade(path)
    wrong += [f"{number}: upgraded"] * (dump(path) != expected)
    for part in folder.glob("killed.db*"):
        part.unlink()
print(json.dumps([number, wrong]))
"""


def killed(folder: Path, revision: str, rows: tuple[str, ...], killing: str) -> tuple[int, list[str]]:
    """How often an upgrade from `revision` was killed, and after which kills something was not as it should be."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(folder), revision, json.dumps(rows), killing],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        check=True,
        capture_output=True,
        text=True,
        timeout=900,
    )
    number, wrong = json.loads(done.stdout)
    return number, wrong


def test_a_kill_in_any_step_leaves_the_old_database_whole(tmp_path: Path) -> None:
    number, wrong = killed(tmp_path, "0003", OLD_ACCOUNT, "UPDATE alembic_version")
    assert wrong == []
    assert number == int(HEAD_REVISION) - int("0003")


@pytest.mark.slow
@pytest.mark.parametrize(("revision", "rows"), [("0001", ()), ("0003", OLD_ACCOUNT)])
def test_a_kill_before_any_statement_leaves_the_old_database_whole(
    tmp_path: Path, revision: str, rows: tuple[str, ...]
) -> None:
    number, wrong = killed(tmp_path, revision, rows, "")
    assert wrong == []
    assert number > 30
