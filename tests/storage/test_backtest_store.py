from datetime import UTC, date, datetime

from sqlalchemy import Connection, event, func, select
from sqlalchemy.dialects import postgresql
from sqlalchemy.sql import ClauseElement

from ensemble.forecasts import Forecast, MemberForecast
from storage.backtest_store import ForecastSource, clear_backtest, read_sources
from storage.forecast_store import write_features_digests, write_forecasts, write_member_forecasts
from storage.run_store import Run, RunStatus, done_runs, write_runs
from storage.schema import METADATA
from storage.tables import Origin

FRIDAY, MONDAY = date(2021, 10, 1), date(2021, 10, 4)
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
    records = {"trials", "trial_sessions", "holdout_openings", "configurations", "outbox"}  # never cleared
    of_bars = {"bars", "quarantine", "corporate_actions", "restatements", "first_reads", "histories", "sightings"}
    of_feeds = {"feed_state", "close_checks"}
    of_models = {"models", "shadow_forecasts", "live_loss", "feature_drift", "forecast_drift"}
    assert without == {"outcomes", "data_dictionary", *of_bars, *of_feeds, *of_models, *records}
    for name in METADATA.tables.keys() - without:
        table = METADATA.tables[name]
        count = select(func.count()).select_from(table).where(table.c.origin == "backtest")
        assert conn.scalar(count) == 0


def forecast(conn: Connection, origin: Origin, session: date) -> None:
    """Two labels by two members."""
    made = [
        Forecast(session, "ITC.NS", label, 0.6, 0.6, "mean", "model-1", "abc") for label in ("gap", "open_to_close")
    ]
    members = [
        MemberForecast(session, "ITC.NS", one.label, name, 0.6, "model-1") for one in made for name in ("a", "b")
    ]
    write_forecasts(conn, origin, made, decided_at=MORNING, late=False, code_version="0.1.0")
    write_member_forecasts(conn, origin, members)


def test_where_a_sessions_forecasts_come_from_is_read_of_the_backtest_alone(conn: Connection) -> None:
    forecast(conn, "live", FRIDAY)
    forecast(conn, "backtest", MONDAY)
    assert read_sources(conn) == {MONDAY: ForecastSource("model-1", "abc", "0.1.0", MORNING, 2, 4)}


def test_forecasts_of_the_sessions_that_are_kept_stay_and_nothing_else_of_the_backtest(conn: Connection) -> None:
    for session in (FRIDAY, MONDAY):
        forecast(conn, "backtest", session)
        write_features_digests(conn, "backtest", {session: "abc"}, column_count=40)
    forecast(conn, "live", FRIDAY)
    assert clear_backtest(conn, keep={MONDAY}) == 2 + 4 + 2
    assert list(read_sources(conn)) == [MONDAY]
    assert clear_backtest(conn) == 2 + 4
    assert conn.scalar(select(func.count()).select_from(METADATA.tables["member_forecasts"])) == 4


def test_every_condition_is_one_that_postgresql_takes_too(conn: Connection) -> None:
    statements: list[ClauseElement] = []
    event.listen(conn, "before_execute", lambda _conn, statement, *_: statements.append(statement))
    read_sources(conn)
    clear_backtest(conn, keep={MONDAY})
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    texts = [str(one.compile(dialect=dialect)) for one in statements]
    # `x IS 0` is SQLite's alone; elsewhere only NULL, TRUE and the like may follow.
    assert len(texts) > 3
    assert [text for text in texts if " IS %" in text] == []
