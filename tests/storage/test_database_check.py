"""Each fault of a database is named with its remedy, and looking changes nothing."""

import sqlite3
from contextlib import closing
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from ensemble.trading.account import open_account, settle
from ensemble.trading.costs import Costs
from ensemble.trading.limits import RiskLimits
from ensemble.trading.rules import TradingRules
from storage.account_store import write_settlement
from storage.database_check import Fault, database_faults
from storage.engine import transaction
from storage.tables import Origin


def faults(database: Path, options: str = "") -> list[Fault]:
    before = database.read_bytes()
    found = database_faults(f"sqlite:///{database}{options}")
    assert database.read_bytes() == before
    return found


def settle_once(store: Engine, origin: Origin) -> None:
    session, limits = date(2021, 10, 4), RiskLimits()
    account = open_account(limits)
    settled = settle(account, session=session, bars={}, signals=[], rules=TradingRules(limits, Costs()))
    with transaction(store) as conn:
        write_settlement(conn, origin, settled)


def test_a_new_database_and_a_settled_one_have_none(store: Engine, database: Path) -> None:
    assert faults(database) == []
    settle_once(store, "live")
    settle_once(store, "backtest")
    assert faults(database) == []


def test_it_looks_while_somebody_writes(store: Engine, database: Path) -> None:
    with transaction(store) as conn:
        conn.execute(text("INSERT INTO configurations VALUES ('a', '{}', '2021-10-05T00:00:00Z')"))
        assert faults(database, "?timeout=0.05") == []


@pytest.mark.parametrize(
    ("origin", "remedy"),
    [("live", "`db restore FILE` puts a backup in its place."), ("backtest", "`backtest` makes that account again.")],
)
def test_an_account_that_its_events_do_not_make(store: Engine, database: Path, origin: Origin, remedy: str) -> None:
    settle_once(store, origin)
    with transaction(store) as conn:
        conn.execute(text("UPDATE account SET cash = cash + 1"))
    store.dispose()
    (fault,) = faults(database)
    assert fault.seen == f"the {origin} account's cash was kept as 1000001.0; its events make it 1000000.0"
    assert fault.remedy == remedy


def test_a_page_that_is_broken(database: Path) -> None:
    content = bytearray(database.read_bytes())
    content[-4096:] = b"\x07" * 4096
    database.write_bytes(content)
    (fault,) = faults(database)
    assert "is damaged or no database" in fault.seen
    assert "restores the newest backup" in fault.remedy


def test_an_index_that_lacks_a_row(database: Path) -> None:
    """The database opens, and reads of the table alone go well."""
    with closing(sqlite3.connect(database, isolation_level=None)) as writer:
        writer.execute("CREATE TABLE kept (a INTEGER PRIMARY KEY, b TEXT)")
        writer.execute("CREATE INDEX kept_b ON kept (b)")
        writer.execute("INSERT INTO kept VALUES (1, 'x')")
        (root,) = writer.execute("SELECT rootpage FROM sqlite_master WHERE name = 'kept_b'").fetchone()
    content = bytearray(database.read_bytes())
    content[(root - 1) * 4096 + 3 : (root - 1) * 4096 + 5] = bytes(2)  # no cell in that page
    database.write_bytes(content)
    (fault,) = faults(database)
    assert fault.seen.startswith("the file is damaged: ")
    assert "kept_b" in fault.seen
    assert "db restore" in fault.remedy


def test_a_file_that_is_no_database(database: Path) -> None:
    database.write_text("Date,Open\n" * 900)
    (fault,) = faults(database)
    assert "is damaged or no database" in fault.seen
    assert "restores the newest backup" in fault.remedy


def test_a_missing_database(tmp_path: Path) -> None:
    (fault,) = database_faults(f"sqlite:///{tmp_path}/signals.db")
    assert (fault.seen.endswith("does not exist yet"), "run-once" in fault.remedy) == (True, True)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("schema", "seen", "remedy"),
    [("0003", "older than", "`reliance-daemon db upgrade` upgrades it."), ("9999", "newer than", "install the newer")],
)
def test_a_schema_of_another_version(store: Engine, database: Path, schema: str, seen: str, remedy: str) -> None:
    store.dispose()
    with closing(sqlite3.connect(database)) as other, other:
        other.execute("UPDATE alembic_version SET version_num = ?", (schema,))
    (fault,) = faults(database)
    assert f"has schema {schema}, {seen}" in fault.seen
    assert remedy in fault.remedy
    assert "\n" not in fault.seen + fault.remedy


def test_a_database_that_stays_locked(store: Engine, database: Path) -> None:
    store.dispose()
    with closing(sqlite3.connect(database, isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        (fault,) = database_faults(f"sqlite:///{database}?timeout=0.05")
    assert "stayed locked by another program" in fault.seen
    assert "end that program" in fault.remedy
