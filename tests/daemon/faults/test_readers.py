"""Whoever reads, and however long, no session waits for them."""

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from storage.engine import KEPT_WAL_BYTES
from tests.daemon.faults.cheap import Rows, assert_same, rows_of
from tests.daemon.faults.world import BEGIN, END, ServicesAt, World, live

READERS = 20
PROGRAM = """
import sqlite3, sys, threading
over, looks, errors = threading.Event(), [0] * int(sys.argv[2]), []

def look(number):
    while not over.wait(0.1):
        try:
            with sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True) as database:
                database.execute("BEGIN")
                first = database.execute("SELECT count(*) FROM runs").fetchone()
                database.execute("SELECT * FROM v_latest_signals").fetchall()
                database.execute("SELECT * FROM bars").fetchall()
                assert database.execute("SELECT count(*) FROM runs").fetchone() == first
            database.close()
            looks[number] += 1
        except Exception as error:
            errors.append(repr(error))

threads = [threading.Thread(target=look, args=(number,)) for number in range(len(looks))]
for thread in threads:
    thread.start()
sys.stdin.read()
over.set()
for thread in threads:
    thread.join()
print(min(looks), *errors[:3])
"""


@dataclass
class Said:
    """How often the laziest of the readers looked, and what went wrong."""

    words: list[str] = field(default_factory=list)


@contextmanager
def readers(database: Path) -> Iterator[Said]:
    """Processes would be dearer; each thread of this one opens and closes connections of its own, again and again."""
    said = Said()
    words = [sys.executable, "-c", PROGRAM, str(database), str(READERS)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield said
            said.words = process.communicate(timeout=30)[0].split(maxsplit=1)
        finally:
            process.kill()


@pytest.mark.slow
def test_twenty_who_read_at_once_delay_no_session_and_see_one_state_each(
    cheap: Path, services_at: ServicesAt, undisturbed: Rows
) -> None:
    with readers(cheap / "state" / "signals.db") as said:
        live(cheap, services_at, World(BEGIN), END)
    looks, *errors = said.words
    assert not errors
    assert int(looks) >= 3
    assert_same(rows_of(cheap), undisturbed)


@pytest.mark.slow
def test_one_who_reads_for_four_sessions_delays_none_and_makes_the_log_no_longer_than_they_are(
    cheap: Path, services_at: ServicesAt, undisturbed: Rows
) -> None:
    database = cheap / "state" / "signals.db"
    with closing(sqlite3.connect(database, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        before = reader.execute("SELECT max(session) FROM runs").fetchone()
        live(cheap, services_at, World(BEGIN), END)
        log = database.with_name("signals.db-wal").stat().st_size
        assert reader.execute("SELECT max(session) FROM runs").fetchone() == before == ("2021-10-05",)
    assert log < KEPT_WAL_BYTES
    assert_same(rows_of(cheap), undisturbed)
