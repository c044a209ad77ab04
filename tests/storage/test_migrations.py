from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, inspect, select, text

import storage.migrations
from ensemble.trading.account import Direction, Position, open_account, settle
from ensemble.trading.costs import Costs
from ensemble.trading.holdings import Cause
from ensemble.trading.limits import RiskLimits
from ensemble.trading.rules import TradingRules
from ensemble.trading.session_bars import Bar
from storage.account_store import read_account, read_marks, read_trades, write_settlement
from storage.engine import open_store, reading, transaction
from storage.migrations import HEAD_REVISION, is_known, upgrade
from storage.run_store import done_runs
from storage.schema import METADATA
from storage.sightings import next_look
from storage.tables import data_dictionary
from storage.views import VIEWS, View
from tests.storage.old_database import make_old

STEPS = sorted(path.name[:4] for path in Path(storage.migrations.__file__).parent.glob("versions/0*.py"))
SQL_OF_TABLES = text("SELECT name, sql FROM sqlite_master WHERE type IN ('table', 'index') AND sql IS NOT NULL")

# What users' own queries rely on: a column may be added to a view, none may be renamed, moved or dropped.
COLUMNS_OF_VIEWS = {
    "v_latest_signals": (
        "session symbol label action probability confidence quantity reference_price stop_loss_pct "
        "take_profit_pct reasons late actionable decided_at probability_low probability_high expected_value_bp "
        "value_limit"
    ),
    "v_signal_history": (
        "origin session symbol label action probability confidence quantity reference_price stop_loss_pct "
        "take_profit_pct reasons late actionable decided_at method model_id outcome was_right "
        "probability_low probability_high expected_value_bp value_limit"
    ),
    "v_open_positions": (
        "symbol quantity entry_session entry_price stop_price target_price entry_cost sessions_held last_close "
        "market_value open_profit return_pct direction last_session entry_open dividend_factor income"
    ),
    "v_equity": ("origin session cash equity exposure positions peak_equity drawdown_pct profit return_pct receivable"),
    "v_live_accuracy": "label forecasts resolved hits accuracy base_rate log_loss base_log_loss",
    "v_run_health": "kind session status started_at finished_at detail age_hours last_done_session",
}

OLD_FORECAST = """
    INSERT INTO forecasts VALUES (
        'live', '2021-10-01', 'RELIANCE.NS', 'gap', 0.71, 0.69, 'stack', 'model-1', 'abc', '0.1.0',
        '2021-10-01T03:15:00Z', 0
    )"""


def words(sql: str) -> str:
    return " ".join(sql.split())


def described_columns(conn: Connection) -> dict[tuple[str, str], str]:
    """The type of every column of every table and view that is really there."""
    inspector = inspect(conn)
    names = [*inspector.get_table_names(), *inspector.get_view_names()]
    return {
        (name, column["name"]): str(column["type"]).removesuffix(' COLLATE "C"')
        for name in names
        for column in inspector.get_columns(name)
    }


def test_the_migrations_lead_to_the_tables_of_the_code(store: Engine) -> None:
    with reading(store) as conn:
        assert compare_metadata(MigrationContext.configure(conn), METADATA) == []


@pytest.mark.usefixtures("database")
def test_the_migrations_make_every_check_and_key_that_the_code_has(store: Engine) -> None:
    # Alembic compares neither CHECKs nor table options; the SQL that SQLite keeps has them all.
    from_code = create_engine("sqlite://")
    METADATA.create_all(from_code)
    with from_code.connect() as conn:
        expected = {name: words(sql) for name, sql in conn.execute(SQL_OF_TABLES)}
    from_code.dispose()
    with reading(store) as conn:
        migrated = {name: words(sql) for name, sql in conn.execute(SQL_OF_TABLES)}
    migrated.pop("alembic_version")
    assert migrated == expected


def test_the_head_revision_is_the_newest_step() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(storage.migrations.__file__).parent))
    config.set_main_option("path_separator", "os")
    assert ScriptDirectory.from_config(config).get_heads() == [HEAD_REVISION]


def test_a_step_is_known_by_its_whole_number() -> None:
    assert is_known(HEAD_REVISION)
    assert not is_known("000")
    assert not is_known("9999")


def test_every_column_of_every_table_and_view_is_explained(store: Engine) -> None:
    with reading(store) as conn:
        there = described_columns(conn)
        rows = conn.execute(select(data_dictionary).where(data_dictionary.c.column_name != "")).all()
    assert {(row.object_name, row.column_name) for row in rows} == set(there)
    assert min(len(row.description) for row in rows) > 3
    tables = set(METADATA.tables)
    assert {(row.object_name, row.column_name): row.type for row in rows if row.object_name in tables} == {
        key: kind for key, kind in there.items() if key[0] in tables
    }


def test_every_table_and_view_is_explained(store: Engine) -> None:
    with reading(store) as conn:
        rows = conn.execute(select(data_dictionary).where(data_dictionary.c.column_name == "")).all()
        inspector = inspect(conn)
        kinds = dict.fromkeys(inspector.get_table_names(), "table") | dict.fromkeys(inspector.get_view_names(), "view")
    assert {row.object_name: row.type for row in rows} == kinds
    assert min(len(row.description) for row in rows) > 10


def test_the_views_keep_their_columns(store: Engine) -> None:
    with reading(store) as conn:
        there = {
            name: " ".join(column["name"] for column in inspect(conn).get_columns(name))
            for name in inspect(conn).get_view_names()
        }
    assert there == COLUMNS_OF_VIEWS
    assert {view.name: " ".join(column.name for column in view.columns) for view in VIEWS} == COLUMNS_OF_VIEWS


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])
@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.name)
def test_every_view_has_its_words_for_each_database(view: View, dialect: str) -> None:
    assert view.sql_for(dialect).startswith(f"CREATE VIEW {view.name} AS ")
    assert "{" not in view.sql_for(dialect)


def test_an_upgrade_makes_our_views_anew_and_leaves_the_users_alone(store: Engine) -> None:
    with transaction(store) as conn:
        before = set(conn.execute(select(data_dictionary)).all())
        conn.execute(text("CREATE VIEW v_mine AS SELECT COUNT(*) AS n FROM bars"))
        conn.execute(text("DROP VIEW v_equity"))
        conn.execute(text("CREATE VIEW v_equity AS SELECT 1 AS old"))
        upgrade(conn)
        assert set(inspect(conn).get_view_names()) == {*COLUMNS_OF_VIEWS, "v_mine"}
        assert inspect(conn).get_columns("v_equity")[0]["name"] == "origin"
        assert set(conn.execute(select(data_dictionary)).all()) == before


def make_first_schema(conn: Connection) -> None:
    """The database as version 0.1.0 left it: its tables, a row, a view of its own that the dictionary knows."""
    config = Config(attributes={"connection": conn})
    config.set_main_option("script_location", str(Path(storage.migrations.__file__).parent))
    config.set_main_option("path_separator", "os")
    command.upgrade(config, "0001")
    conn.execute(text(OLD_FORECAST))
    conn.execute(text("CREATE VIEW v_signal_history AS SELECT origin, method FROM forecasts"))
    conn.execute(text("INSERT INTO data_dictionary VALUES ('v_signal_history', '', 'view', 'as it was')"))


def test_forecasts_of_the_first_schema_are_kept_and_get_an_empty_interval(blank_url: str) -> None:
    old = create_engine(blank_url)
    with old.begin() as conn:
        make_first_schema(conn)
        before = conn.execute(text("SELECT * FROM forecasts")).mappings().one()
    old.dispose()
    engine = open_store(blank_url)
    with reading(engine) as conn:
        after = conn.execute(text("SELECT * FROM forecasts")).mappings().one()
        assert conn.scalar(text("SELECT version_num FROM alembic_version")) == HEAD_REVISION
        assert compare_metadata(MigrationContext.configure(conn), METADATA) == []
        assert conn.execute(text("SELECT probability_low FROM v_signal_history")).all() == []
    engine.dispose()
    assert dict(after) == dict(before) | {"probability_low": None, "probability_high": None}


@pytest.mark.parametrize("step", STEPS)
def test_the_schema_goes_forward_only(step: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(storage.migrations.__file__).parent))
    config.set_main_option("path_separator", "os")
    script = ScriptDirectory.from_config(config).get_revision(step)
    with pytest.raises(NotImplementedError, match="restore a backup"):
        script.module.downgrade()


OLD_ACCOUNT = (
    "INSERT INTO account VALUES ('live', '2021-10-01', 900000.25, 1001000.5, 101000.25, 1, 1002000.0, 0.0997)",
    "INSERT INTO account VALUES ('live', '2021-10-04', 800000.125, 1001004.375, 201004.25, 2, 1002000.5, "
    f"{100 * (1 - 1001004.375 / 1002000.5)})",
    "INSERT INTO account VALUES ('backtest', '2021-09-01', 1000000.0, 1000000.0, 0.0, 0, 1000000.0, 0.0)",
    "INSERT INTO positions VALUES ('live', 'RELIANCE.NS', 40, '2021-10-01', 2520.5, 2470.1, 2621.3, 120.9, 2, 2531.25)",
    "INSERT INTO positions VALUES ('live', 'TCS.NS', 25, '2021-10-04', 3990.2, 3910.4, 4149.8, 99.75, 1, 3990.17)",
    "INSERT INTO trades VALUES ('live', 'ITC.NS', 9, '2021-09-27', 230.0, '2021-09-28', 225.4, 'STOP', 54.6, -96.0)",
    *(
        f"INSERT INTO bars VALUES ('RELIANCE.NS', '{session}', '2021-10-05T00:00:00Z', NULL, 'files',"
        f" {opened}, 2600.0, 2400.0, 2531.25, 2500.0, 1e6)"
        for session, opened in (("2021-10-01", 2519.0), ("2021-10-04", 2530.0), ("2021-10-05", 2540.0))
    ),
)


OLD_ORDERS = (
    "INSERT INTO account VALUES ('live', '2021-10-01', 900000.0, 1000000.0, 100000.0, 1, 1000000.0, 0.0)",
    "INSERT INTO positions VALUES ('live', 'TCS.NS', 25, '2021-10-01', 3990.2, 3910.4, 4149.8, 99.75, 1, 3990.17,"
    " '2021-10-01', 3990.2, 'LONG', 1.0, 0.0)",
    *(
        f"INSERT INTO signals VALUES ('live', '{session}', '{symbol}', 'gap', '{action}', 0.8, 0.8, 50, 200.0, 2.0,"
        " 4.0, '[]', 0, 1, '2021-10-01T03:15:00Z', NULL)"
        for session, symbol, action in (
            ("2021-10-01", "ITC.NS", "BUY"),
            ("2021-10-04", "ITC.NS", "BUY"),
            ("2021-10-04", "TCS.NS", "SELL"),
        )
    ),
)


OLD_HALTS = tuple(
    "INSERT INTO account_events (origin, number, session, kind, quantity, amount, reason, note) "
    f"VALUES ('live', {number}, '2021-10-01', '{kind}', 0, {amount}, {reason}, {note})"
    for number, kind, amount, reason, note in (
        (1, "OPENED", "1e6", "NULL", "NULL"),
        (2, "HALTED", "NULL", "'KILL_SWITCH'", "'fishing'"),
        (3, "HALTED", "NULL", "'KILL_SWITCH'", "'the file HALT is there'"),
    )
)


@contextmanager
def from_schema(url: str, revision: str, rows: Sequence[str]) -> Iterator[Engine]:
    """A database that held these rows at that schema, brought to today's."""
    make_old(url, revision, rows)
    engine = open_store(url)
    yield engine
    engine.dispose()


@pytest.fixture
def upgraded(blank_url: str) -> Iterator[Engine]:
    """A database that held an account before there were events, brought to today's schema."""
    with from_schema(blank_url, "0003", OLD_ACCOUNT) as engine:
        yield engine


def test_an_account_of_an_earlier_version_is_rebuilt_from_the_events_that_it_got(upgraded: Engine) -> None:
    with reading(upgraded) as conn:
        account, trades = read_account(conn, "live"), read_trades(conn, "live")
        backtest = read_account(conn, "backtest")
    assert account is not None
    assert (account.cash, account.peak_equity, account.held) == (
        800000.125,
        1002000.5,
        {"RELIANCE.NS": 40, "TCS.NS": 25},
    )
    reliance, tcs = account.positions
    friday, monday = date(2021, 10, 1), date(2021, 10, 4)
    assert reliance == Position(
        "RELIANCE.NS", 40, friday, 2520.5, 2470.1, 2621.3, 120.9, 2, 2531.25, last_session=monday, entry_open=2519.0
    )
    assert (tcs.entry_open, tcs.last_session) == (3990.2, monday)
    assert backtest == open_account(RiskLimits(initial_capital=1_000_000))
    assert [(trade.symbol, trade.direction, trade.income) for trade in trades] == [("ITC.NS", Direction.LONG, 0.0)]


def test_an_account_of_an_earlier_version_goes_on(upgraded: Engine) -> None:
    rules, tuesday = TradingRules(RiskLimits(), Costs()), date(2021, 10, 5)
    bars = {"RELIANCE.NS": Bar(2540, 2545, 2535, 2541)}
    with transaction(upgraded) as conn:
        account = read_account(conn, "live")
        assert account is not None
        settled = settle(account, session=tuesday, bars=bars, signals=[], rules=rules)
        write_settlement(conn, "live", settled)
    with reading(upgraded) as conn:
        assert read_account(conn, "live") == settled.account
        assert [mark.session for mark in read_marks(conn, "live")][-1] == tuesday


def test_an_upgrade_of_an_account_leads_to_the_tables_of_the_code(upgraded: Engine) -> None:
    with reading(upgraded) as conn:
        assert compare_metadata(MigrationContext.configure(conn), METADATA) == []
        assert len(conn.execute(text("SELECT * FROM v_open_positions")).all()) == 2


def test_an_order_that_was_decided_before_there_were_limits_of_value_may_be_worth_what_it_was_sized_at(
    blank_url: str,
) -> None:
    with from_schema(blank_url, "0007", OLD_ORDERS) as engine, reading(engine) as conn:
        rows = conn.execute(text("SELECT session, symbol, value_limit FROM signals")).all()
    limits = {(session, symbol): limit for session, symbol, limit in rows}
    friday, monday = "2021-10-01", "2021-10-04"
    assert limits == {(friday, "ITC.NS"): None, (monday, "ITC.NS"): 10_000.0, (monday, "TCS.NS"): None}


def test_a_kill_switch_of_an_earlier_version_has_the_cause_that_its_words_tell(blank_url: str) -> None:
    with from_schema(blank_url, "0007", OLD_HALTS) as engine, reading(engine) as conn:
        account = read_account(conn, "live")
        assert account is not None
        assert [(hold.note, hold.cause) for hold in account.holds] == [
            ("fishing", Cause.COMMAND),
            ("the file HALT is there", Cause.FILE),
        ]


def test_bars_of_an_earlier_version_were_seen_when_they_were(blank_url: str) -> None:
    before = datetime(2021, 10, 1, tzinfo=UTC)
    with from_schema(blank_url, "0013", OLD_ACCOUNT[-3:]) as engine, reading(engine) as conn:
        assert next_look(conn, before) == datetime(2021, 10, 5, tzinfo=UTC)


def test_the_ledger_of_an_earlier_version_is_kept_as_it_was(blank_url: str) -> None:
    kept = "'done', '2021-10-01T11:00:00Z', NULL, 'equity', 'abc', '2021-10-01T11:00:00Z', 7, '0.1'"
    with from_schema(
        blank_url, "0009", (f"INSERT INTO runs VALUES ('live', 'settle', '2021-10-01', {kept})",)
    ) as engine:
        with reading(engine) as conn:
            assert compare_metadata(MigrationContext.configure(conn), METADATA) == []
            (run,) = conn.execute(text("SELECT * FROM runs")).all()
            assert done_runs(conn, "live", "settle") == {date(2021, 10, 1)}
        instants = ("2021-10-01T11:00:00Z", None, "equity", "abc", "2021-10-01T11:00:00Z", 7, "0.1", None)
        assert tuple(run) == ("live", "settle", "2021-10-01", "done", *instants)
