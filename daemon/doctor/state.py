"""Is what is kept in order: rights of configuration, state and log, the database, its backups."""

import os
import pwd
import shutil
import stat
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path

from daemon.config.settings import StorageOptions
from daemon.console.log import FILE_NAME, LogOptions
from daemon.doctor.finding import Finding, fail, ok, warn
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
    return _rights("rights", storage.state_dir, there, written=[path for path in there if path != config])


def log_finding(options: LogOptions, state_dir: Path) -> Finding:
    """May the daemon, and nobody else, write its log, and is there room for it?"""
    folder = options.folder or state_dir
    if not options.file:
        return ok("log", "on standard error alone")
    if not folder.exists():
        return warn("log", f"no folder {folder} yet", "`reliance-daemon run-once` makes it.")
    if not folder.is_dir():
        return fail("log", f"{folder} is no folder", "move it away, or set log.folder.")
    there = [path for path in (folder, folder / FILE_NAME) if path.exists()]
    found = _rights("log", folder, there, written=there)
    free = shutil.disk_usage(folder).free
    if found.level == "ok" and free < options.rotation_mb * 1e6:
        seen = f"{free / 1e6:.0f} MB free at {folder}, less than one full file (log.rotation_mb)"
        return warn("log", seen, "free some space: what finds no room is lost.")
    return found


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


def _rights(check: str, folder: Path, there: Sequence[Path], *, written: Sequence[Path]) -> Finding:
    """Of what is `there` in a folder, in which the daemon writes what is `written`."""
    for path in there:
        if path.stat().st_mode & stat.S_IWOTH:
            return fail(check, f"everybody may write {path}", f"`chmod o-w {path}`.")
    locked = [path for path in written if not os.access(path, os.W_OK, effective_ids=True)]
    if locked:
        return _not_writable(check, locked[0], folder)
    if folder.stat().st_mode & stat.S_IROTH:
        return warn(check, f"everybody may read {folder}", f"`chmod o-rwx {folder}`.")
    return ok(check, f"{folder} belongs to {_user(folder.stat().st_uid)}, who may write it")


_HOW = "`db backup` makes one now; with storage.backups_kept above 0 one is made after each session: see the log."


def _no_backup(folder: Path, settled: date | None) -> Finding:
    if settled is None:
        return ok("backups", "none yet, and nothing to back up")
    return warn("backups", f"none in {folder}; the database has settled {settled}", _HOW)


def _not_writable(check: str, path: Path, folder: Path) -> Finding:
    if os.statvfs(path).f_flag & os.ST_RDONLY:
        seen = f"{path} lies on a file system that is mounted read-only"
        return fail(check, seen, "mount it read-write; `dmesg` says whether its disk is broken.")
    owner, me = folder.stat().st_uid, os.geteuid()
    if owner != me:
        return warn(check, f"{_user(me)} may not write {path}", f"look as {_user(owner)}, whose folder it is.")
    return fail(check, f"{_user(me)} may not write {path}", f"`chown {_user(me)} {path}` and `chmod u+rw {path}`.")


def _user(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"user {number}"
