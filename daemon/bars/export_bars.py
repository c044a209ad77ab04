"""Bars as files that `import` and the feed "files" read: the current version of each, a symbol at a time."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, Engine

from daemon.errors import DaemonError
from storage.bar_store import newest_of, newest_sessions, read_bars
from storage.engine import reading
from storage.feeds.write_files import Form, write_bar_file


def export_bars(
    engine: Engine, folder: Path, symbols: Sequence[str] = (), *, form: Form = "csv", known_at: datetime | None = None
) -> Iterator[tuple[str, int]]:
    """Each symbol, by default all that are stored, with how many bars were written to `folder`/SYMBOL.csv or .parquet.

    With `known_at`, the bars as they were known at that instant. Raises DaemonError for a symbol without bars and for a
    folder that cannot be written.
    """
    with reading(engine) as conn:
        require_bars(conn, symbols)
        stored = newest_sessions(conn)
    for symbol in symbols or sorted(stored):
        with reading(engine) as conn:
            bars = read_bars(conn, [symbol], known_at=known_at)[symbol]
        try:
            write_bar_file(folder, symbol, bars, form=form)
        except OSError as error:
            raise DaemonError(f"{folder} cannot be written: {error.strerror}; choose another folder.") from error
        yield symbol, len(bars)


def require_bars(conn: Connection, symbols: Iterable[str]) -> None:
    """Raises DaemonError for a symbol without any bar."""
    symbols = list(symbols)
    stored = newest_of(conn, symbols)
    for symbol in symbols:
        if symbol not in stored:
            raise DaemonError(f"{symbol} has no stored bar; `backfill` or `import` brings its history.")
