"""A machine that has nothing gets models and database from the bucket; one that has something stays as it is.

All is fetched and checked in a draft folder, which then gets the name `from-cloud`. From that rename on the restore
counts: what is left is renaming, and whoever opens the database next does that after a kill.
"""

import shutil
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from storage.backups import STAMP, backup_named
from storage.cloud.bucket import Bucket, CloudError, local_faults
from storage.cloud.contents import Told
from storage.cloud.layout import Latest
from storage.cloud.pull import check_room, fetch, get_checked, latest_of, read_snapshot
from storage.durable import give_to_owner, sync_folder
from storage.model_folder import faults
from storage.model_store import ModelStore
from storage.restoring import check_restorable, restore

_DRAFT, _READY = ".draft-from-cloud", "from-cloud"


@dataclass(frozen=True, slots=True)
class State:
    """Where a machine keeps what is restored."""

    folder: Path
    models: Path
    database: Path | None
    """None for a database on a server, which its own tools restore."""


def restore_from(bucket: Bucket, state: State, *, at: datetime, told: Told = iter) -> Latest:
    """Models and database as LATEST has them. Call it with the instance lock held.

    Raises CloudError, and changes nothing: a machine that has models or a database, a bucket that can't be read, and
    anything in it that is not what it was.
    """
    with local_faults():
        finish(state, at=at)
        _check_empty(state)
        draft = state.folder / _DRAFT
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True)
        try:
            latest = latest_of(bucket, draft)
            if latest.database is not None:
                _file_of(state)
            _fetch_all(bucket, latest, draft, told)
            draft.rename(state.folder / _READY)
            sync_folder(state.folder)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
        finish(state, at=at)
        return latest


def finish(state: State, *, at: datetime) -> bool:
    """Ends a restore that was cut short, if there is one; True when there was."""
    ready = state.folder / _READY
    if not ready.is_dir():
        return False
    if (ready / "models").is_dir():
        if state.models.is_dir():  # with drafts at most
            state.models.rename(state.models.with_name(f"models.before-restore-{at:{STAMP}}"))
        (ready / "models").rename(state.models)
        sync_folder(state.models.parent)
    for backup in [path for path in ready.iterdir() if backup_named(path)]:
        restore(backup, _file_of(state), at=at, why="before-restore")
        backup.unlink()
    shutil.rmtree(ready)
    return True


def _fetch_all(bucket: Bucket, latest: Latest, draft: Path, told: Told) -> None:
    snapshot, database = read_snapshot(bucket, latest.snapshot_name, draft), latest.database
    check_room(draft, snapshot.size_bytes + (2 * database.size_bytes if database else 0))  # it is copied once more
    for piece in told(snapshot.pieces):
        fetch(bucket, piece, draft / "models")
    (draft / "models").mkdir(exist_ok=True)
    wrong = next(faults(ModelStore(draft / "models", read_only=True)), None)
    if wrong is not None:
        raise CloudError(f"the bucket's models are not whole ({wrong}); nothing was restored.")
    if database is not None:
        target = draft / database.name
        get_checked(bucket, database.place, target, sha256=database.sha256, size_bytes=database.size_bytes)
        check_restorable(target)
    _give_to_owner(draft)
    sync_folder(draft)


def _check_empty(state: State) -> None:
    there = state.database if state.database is not None and state.database.exists() else None
    if there is None and state.models.is_dir():
        there = next((path for path in state.models.glob("*/[!.]*")), None)
    if there is not None:
        raise CloudError(
            f"{there} is there already, and a restore replaces nothing; move {state.folder} away, or set another "
            "storage.state_dir."
        )


def _file_of(state: State) -> Path:
    """The database's file. Raises CloudError where it is none."""
    if state.database is None:
        raise CloudError(
            "the bucket holds the backup of a SQLite database, and storage.url names a server; leave it out, or fetch "
            "the models alone with `models pull`."
        )
    return state.database


def _give_to_owner(folder: Path) -> None:
    """What root restores is the daemon's."""
    give_to_owner(folder)
    for path in sorted(folder.rglob("*")):
        give_to_owner(path)
