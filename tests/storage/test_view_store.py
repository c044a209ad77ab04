"""What is read of a view is what any SQL shell would read."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import text

from storage.engine import open_store, reading, transaction
from storage.run_store import Run, RunStatus, write_runs
from storage.view_store import read_view
from storage.views import EQUITY, RUN_HEALTH, VIEWS, View


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.name)
def test_every_view_has_the_columns_that_are_asked_for(view: View, tmp_path: Path) -> None:
    engine = open_store(f"sqlite:///{tmp_path / 'signals.db'}")
    order = next(one.name for one in view.columns)
    with reading(engine) as conn:
        assert read_view(conn, view, order=order) == []
    engine.dispose()


def test_rows_are_as_kept_in_order_and_only_those_that_are_equal(tmp_path: Path) -> None:
    engine = open_store(f"sqlite:///{tmp_path / 'signals.db'}")
    at = datetime(2021, 10, 1, 3, 20, tzinfo=UTC)
    with transaction(engine) as conn:
        write_runs(conn, [Run("live", kind, at.date(), RunStatus.DONE, at, at, "") for kind in ("settle", "decide")])
    with reading(engine) as conn:
        rows = read_view(conn, RUN_HEALTH, order="kind")
        kept = [dict(row) for row in conn.execute(text("SELECT * FROM v_run_health ORDER BY kind")).mappings()]
        assert [{**row, "age_hours": 0} for row in rows] == [{**row, "age_hours": 0} for row in kept]
        assert [row["kind"] for row in read_view(conn, RUN_HEALTH, order="kind", kind="settle")] == ["settle"]
        assert read_view(conn, EQUITY, origin="backtest") == []
    engine.dispose()
