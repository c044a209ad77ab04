"""A SQLite database as a file: looked into, found whole or damaged, copied while others write, moved with all of it."""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

from storage.errors import is_damage

BELONGING = ("", "-wal", "-shm", "-journal")
"""What SQLite keeps beside a database: without its -wal a database lacks what was committed last."""

WAIT_S = 5.0
_STEP_PAGES = 2000
_SHOWN = 3
"""Findings of a check; a damaged file has thousands."""


def _go_on(status: int, remaining: int, total: int) -> None:
    pass


def looking_uri(path: Path) -> str:
    """How SQLite is told to look only: it makes no file of its own, not even an empty one, and refuses every write.

    Where nobody can write, on a disk that is mounted read-only, it needs no files beside the database either.
    """
    log = Path(f"{path}-wal")
    asleep = path.exists() and os.statvfs(path).f_flag & os.ST_RDONLY and not (log.exists() and log.stat().st_size)
    return f"file:{quote(str(path))}?mode=ro{'&immutable=1' if asleep else ''}"


@contextmanager
def opened(path: Path, *, mode: str = "ro", wait_s: float = WAIT_S) -> Iterator[sqlite3.Connection]:
    """The file as it is, never made: no schema is looked for, and each statement is a transaction of its own."""
    path = path.absolute()
    address = looking_uri(path) if mode == "ro" else f"file:{quote(str(path))}?mode={mode}"
    with closing(sqlite3.connect(address, uri=True, isolation_level=None, timeout=wait_s)) as connection:
        yield connection


def damage_of(path: Path, *, wait_s: float = WAIT_S) -> str | None:
    """What is broken inside the file, in a line; None when it is whole, missing, or can't be looked into now.

    Only what SQLite itself calls damage counts: never a lock, missing rights, a full disk or a disk error, which pass.
    """
    try:
        if path.stat().st_size == 0:
            return "the file is empty"
        with opened(path, wait_s=wait_s) as connection:  # for reading alone: at its end a writer would merge the log
            return _said(connection.execute(f"PRAGMA quick_check({_SHOWN})").fetchall())
    except OSError:
        return None
    except sqlite3.Error as error:
        return str(error) if is_damage(error) else None


def faults_of(connection: sqlite3.Connection) -> str | None:
    """The same by every check that SQLite has, indices and foreign keys too. Raises sqlite3.Error."""
    said = _said(connection.execute(f"PRAGMA integrity_check({_SHOWN})").fetchall())
    orphans = connection.execute("PRAGMA foreign_key_check").fetchmany(_SHOWN)
    lost = "; ".join(f"row {row} of {table} points at none of {parent}" for table, row, parent, _ in orphans)
    return said or lost or None


def row_counts(connection: sqlite3.Connection) -> dict[str, int]:
    """Table -> its number of rows."""
    names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name").fetchall()
    # A name can't be bound; these come from the file's own list, and are quoted.
    counted = {name: f"SELECT count(*) FROM {_quoted(name)}" for (name,) in names}  # noqa: S608
    return {name: connection.execute(query).fetchone()[0] for name, query in counted.items()}


def copy_whole(source: Path, target: Path, *, between: Callable[[int, int, int], None] = _go_on) -> None:
    """Copies the database as it is at one instant to the new file `target`, checked and on the disk; writers go on.

    `between` is called after every step of the copying. Raises sqlite3.Error or OSError; nothing, or something
    unfinished, is at `target` then.
    """
    with opened(source) as live:
        live.execute("BEGIN")
        expected = row_counts(live)  # from this first look on, it sees one state
        target.touch()
        with opened(target, mode="rw") as copy:
            # In steps, between which a signal is heard.
            live.backup(copy, pages=_STEP_PAGES, progress=between)
            rest(copy)
    sync_file(target)
    with opened(target) as copy:
        said = faults_of(copy) or (None if row_counts(copy) == expected else "rows are missing from the copy")
    if said:
        raise sqlite3.DatabaseError(f"{source.name}: {said}")


def rest(connection: sqlite3.Connection) -> None:
    """Puts all of the database into its one file. Raises sqlite3.OperationalError while another program has it open."""
    connection.execute("PRAGMA journal_mode = DELETE")


def sync_file(path: Path) -> None:
    """Waits until the file is on the disk."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def move_aside(path: Path, aside: Path) -> None:
    """Renames the database and what belongs to it, whatever of these there is; made again, it goes on where it was."""
    for end in BELONGING:
        if (part := Path(f"{path}{end}")).exists():
            part.rename(f"{aside}{end}")


def _said(rows: list[tuple[str]]) -> str | None:
    lines = [row[0] for row in rows]
    return None if lines == ["ok"] else "; ".join(" ".join(line.split()) for line in lines)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
