from datetime import UTC, date, datetime

from sqlalchemy import Connection, func, select

from storage.backtest_store import clear_backtest
from storage.forecast_store import write_features_digests
from storage.run_store import Run, RunStatus, done_runs, write_runs
from storage.tables import METADATA

FRIDAY = date(2021, 10, 1)
MORNING = datetime(2021, 10, 1, 3, 15, tzinfo=UTC)


def test_a_new_backtest_finds_nothing_of_the_one_before_and_all_that_is_live(conn: Connection) -> None:
    for origin in ("live", "backtest"):
        write_runs(conn, [Run(origin, "decide", FRIDAY, RunStatus.DONE, MORNING)])
        write_features_digests(conn, origin, {FRIDAY: "abc"}, column_count=40)
    assert clear_backtest(conn) == 2
    assert clear_backtest(conn) == 0
    assert done_runs(conn, "live", "decide") == {FRIDAY}
    assert done_runs(conn, "backtest", "decide") == set()


def test_every_table_of_decisions_knows_its_origin(conn: Connection) -> None:
    without = {name for name, table in METADATA.tables.items() if "origin" not in table.columns}
    assert without == {"bars", "quarantine", "models", "outcomes", "data_dictionary"}
    for name in METADATA.tables.keys() - without:
        table = METADATA.tables[name]
        count = select(func.count()).select_from(table).where(table.c.origin == "backtest")
        assert conn.scalar(count) == 0
