"""A SQLite database that users of its group may read and not write, while somebody writes and while nobody does.

Who only reads needs the two files beside a database in WAL mode, and can't make them (sqlite.org/wal.html, "Read-Only
Databases"). SQLite takes them away with the last writer, unless somebody who can't write is still there.
"""

import stat
from pathlib import Path

from storage.sqlite_file import BELONGING, opened


def let_group_read(database: Path, *, allowed: bool) -> None:
    """Gives the group the right to read the database and what belongs to it, or takes it. Raises OSError.

    What everybody may read the group may too. What SQLite makes beside it later has the rights of the database itself.
    """
    for end in BELONGING:
        part = Path(f"{database}{end}")
        if part.exists():
            mode = stat.S_IMODE(part.stat().st_mode)
            if allowed and not mode & stat.S_IRGRP:
                part.chmod(mode | stat.S_IRGRP)
            elif not allowed and mode & stat.S_IRGRP and not mode & stat.S_IROTH:
                part.chmod(mode & ~(stat.S_IRGRP | stat.S_IWGRP))


def leave_readable(database: Path) -> None:
    """Makes again what the last writer took away. Raises sqlite3.Error."""
    with opened(database) as reader, opened(database, mode="rw") as writer:  # closed in the opposite order
        for connection in (writer, reader):
            connection.execute("SELECT 1 FROM sqlite_master").fetchone()
