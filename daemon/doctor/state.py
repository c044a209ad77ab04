"""Is what is kept in order: rights of configuration and state, the database, its backups."""

import os
import pwd
import stat
from collections.abc import Iterator
from datetime import date
from pathlib import Path

from daemon.doctor.finding import Finding, fail, ok, warn
from daemon.settings import StorageOptions
from storage.backups import BackupError, backups_in
from storage.database_check import database_faults
from storage.engine import database_file, shown_url
from storage.migrations import HEAD_REVISION
from storage.restoring import check_restorable

BACKUP_AGE_DAYS = 5
"""Between the newest settled session and that of the newest backup: a weekend and a holiday."""


def rights_finding(config: Path | None, storage: StorageOptions) -> Finding:
    """May the daemon write what it has to, and nobody else?"""
    paths = [path for path in (config, storage.state_dir, database_file(storage.database_url)) if path]
    there = [path for path in paths if path.exists()]
    if storage.state_dir not in there:
        return warn("rights", f"no folder {storage.state_dir} yet", "`reliance-daemon run-once` makes it.")
    for path in there:
        if path.stat().st_mode & stat.S_IWOTH:
            return fail("rights", f"everybody may write {path}", f"`chmod o-w {path}`.")
    locked = [path for path in there if path != config and not os.access(path, os.W_OK, effective_ids=True)]
    if locked:
        return _not_writable(locked[0], storage.state_dir)
    if storage.state_dir.stat().st_mode & stat.S_IROTH:
        return warn("rights", f"everybody may read {storage.state_dir}", f"`chmod o-rwx {storage.state_dir}`.")
    return ok("rights", f"{storage.state_dir} belongs to {_user(storage.state_dir.stat().st_uid)}, who may write it")


def database_findings(storage: StorageOptions) -> Iterator[Finding]:
    """What `db check` finds; one that was never made is no fault."""
    url, file = storage.database_url, database_file(storage.database_url)
    if file is not None and not file.exists():
        kept = backups_in(storage.backups)
        if kept:
            remedy = f"`db restore {kept[0].path}` brings it back; the next start begins a new one."
            yield fail("database", f"{file} is not there although there are backups", remedy)
        else:
            yield warn("database", f"no {file} yet", "`reliance-daemon run-once` makes it.")
        return
    faults = database_faults(url)
    if not faults:
        yield ok("database", f"{shown_url(url)}: whole, schema {HEAD_REVISION}, accounts as their events make them")
    for fault in faults:
        yield fail("database", fault.seen, fault.remedy)


def backup_finding(storage: StorageOptions, settled: date | None) -> Finding:
    """Is there a recent backup that can be restored? `settled` is the newest session that it should have."""
    if database_file(storage.database_url) is None:
        return ok("backups", "the database server's own tools make them, such as pg_dump")
    kept = backups_in(storage.backups)
    if not kept:
        return _no_backup(storage.backups, settled)
    newest = kept[0]
    try:
        check_restorable(newest.path)
    except BackupError as error:
        seen, _, remedy = str(error).rpartition("; ")
        return fail("backups", seen, f"`db backup` makes another; to restore, {remedy}")
    seen = f"{len(kept)}, the newest of session {newest.session or 'none'}, {newest.path}"
    if settled is not None and (newest.session is None or (settled - newest.session).days > BACKUP_AGE_DAYS):
        return warn("backups", f"{seen}; the database has settled {settled}", _HOW)
    if storage.backups_kept == 0:
        return warn("backups", f"{seen}; storage.backups_kept is 0", _HOW)
    return ok("backups", seen)


_HOW = "`db backup` makes one now; with storage.backups_kept above 0 one is made after each session: see the log."


def _no_backup(folder: Path, settled: date | None) -> Finding:
    if settled is None:
        return ok("backups", "none yet, and nothing to back up")
    return warn("backups", f"none in {folder}; the database has settled {settled}", _HOW)


def _not_writable(path: Path, state_dir: Path) -> Finding:
    if os.statvfs(path).f_flag & os.ST_RDONLY:
        seen = f"{path} lies on a file system that is mounted read-only"
        return fail("rights", seen, "mount it read-write; `dmesg` says whether its disk is broken.")
    owner, me = state_dir.stat().st_uid, os.geteuid()
    if owner != me:
        return warn("rights", f"{_user(me)} may not write {path}", f"look as {_user(owner)}, whose folder it is.")
    return fail("rights", f"{_user(me)} may not write {path}", f"`chown {_user(me)} {path}` and `chmod u+rw {path}`.")


def _user(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"user {number}"
