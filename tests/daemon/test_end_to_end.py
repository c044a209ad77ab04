"""The daemon's whole way, from bars in files to rows in the database: live, again, later, and as a backtest."""

import json
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from sqlalchemy import Connection, Engine, text

from daemon.backtests.backtest import backtest
from daemon.errors import DaemonError
from daemon.models.factory import ModelFactory
from daemon.models.loading import load_model
from daemon.services import Services
from daemon.sessions.desk import home_calendar, open_desk
from daemon.sessions.reconcile import reconcile
from ensemble.labels import LABELS
from ensemble.stacking.combiner import who_speaks
from ensemble.trading.account import open_account, settle
from ensemble.trading.costs import Costs
from ensemble.trading.rules import TradingRules
from ensemble.trading.session_bars import Bar
from ensemble.trading.signals import Action, Reason, Signal
from storage.account_store import write_settlement
from storage.account_tables import account, account_events, positions, trades
from storage.engine import open_store, reading, transaction
from storage.feeds import FeedError

ServicesAt = Callable[..., AbstractContextManager[Services]]
COMPARED = (
    *("forecasts", "member_forecasts", "signals"),
    *("account", "account_events", "trades", "positions", "features"),
)
OTHERS = ("bars", "quarantine", "outcomes", "runs", "models")


def rows(engine: Engine, sql: str) -> list[tuple[Any, ...]]:
    with reading(engine) as conn:
        return [tuple(row) for row in conn.execute(text(sql))]


def table(engine: Engine, name: str, origin: str) -> pd.DataFrame:
    """The rows of one origin without the columns that say when and by whom they were written."""
    with reading(engine) as conn:
        frame = pd.read_sql(text(f"SELECT * FROM {name} WHERE origin = :origin"), conn, params={"origin": origin})
    return frame.drop(columns=[column for column in ("origin", "decided_at") if column in frame])


def everything(engine: Engine) -> dict[str, list[tuple[Any, ...]]]:
    """Every row that a job could have written."""
    return {name: rows(engine, f"SELECT * FROM {name}") for name in (*COMPARED, *OTHERS)}


def assert_only_told_as_failed(engine: Engine, before: dict[str, list[tuple[Any, ...]]]) -> None:
    """Nothing has changed but that the ledger says which job failed."""
    after = everything(engine)
    assert [name for name in after if after[name] != before[name]] == ["runs"]
    assert set(before["runs"]) < set(after["runs"])
    assert rows(engine, "SELECT kind, session FROM runs WHERE status <> 'done'") == [("decide", "2021-10-06")]


@pytest.fixture
def engine(lived: Path) -> Iterator[Engine]:
    opened = open_store(f"sqlite:///{lived / 'state' / 'signals.db'}", read_only=True)
    yield opened
    opened.dispose()


def test_every_session_has_every_forecast_one_signal_and_one_mark(engine: Engine, sessions: tuple[str, ...]) -> None:
    counts = "SELECT session, count(*) FROM {} WHERE origin = 'live' GROUP BY session ORDER BY session"
    assert rows(engine, counts.format("forecasts")) == [(session, 8) for session in sessions]
    assert rows(engine, counts.format("member_forecasts")) == [(session, 24) for session in sessions]
    assert rows(engine, counts.format("signals")) == [(session, 1) for session in sessions]
    assert rows(engine, counts.format("account")) == [(session, 1) for session in sessions]
    assert rows(engine, "SELECT DISTINCT status FROM runs") == [("done",)]


def test_every_forecast_says_how_sure_its_probability_is(engine: Engine) -> None:
    intervals = (
        "SELECT min(probability_low), min(probability_high - probability_low), max(probability_high) FROM forecasts"
    )
    ((lowest, narrowest, highest),) = rows(engine, intervals)
    assert 0 <= lowest < highest <= 1
    assert narrowest > 0
    assert rows(engine, "SELECT count(*) FROM forecasts WHERE probability_low IS NULL") == [(0,)]


def test_the_manifest_says_who_speaks_and_why(engine: Engine) -> None:
    for (manifest,) in rows(engine, "SELECT manifest FROM models"):
        assert set(json.loads(manifest)["verdicts"]) == set(LABELS)
        expected = "; ".join(f"{label}: mean speaks (too little history to judge challengers by)" for label in LABELS)
        assert who_speaks(json.loads(manifest)) == expected


def test_each_month_is_served_by_its_own_model(engine: Engine) -> None:
    served = rows(engine, "SELECT DISTINCT substr(session, 1, 7), substr(model_id, 1, 7) FROM forecasts ORDER BY 1")
    assert served == [("2021-09", "2021-09"), ("2021-10", "2021-10")]


def test_decisions_were_traded_and_every_reason_is_given(engine: Engine) -> None:
    assert rows(engine, "SELECT count(*) FROM signals WHERE action = 'BUY' AND actionable = 1") != [(0,)]
    assert rows(engine, "SELECT count(*) FROM signals WHERE reasons = '[]'") == [(0,)]


def test_outcomes_equal_what_sql_makes_of_the_bars(engine: Engine) -> None:
    expected = """
        SELECT session, close > opened FROM (
          SELECT session, symbol, open AS opened, close FROM bars WHERE superseded_at IS NULL)
        WHERE symbol = 'AAA.NS' AND session BETWEEN '2021-09-28' AND '2021-10-05' ORDER BY session"""
    found = """
        SELECT session, outcome FROM outcomes
        WHERE symbol = 'AAA.NS' AND label = 'open_to_close' ORDER BY session"""
    assert rows(engine, found) == rows(engine, expected)


def test_a_second_call_finds_nothing_left_to_do(copy: Path, services_at: ServicesAt, sessions: tuple[str, ...]) -> None:
    with services_at(copy, f"{sessions[-1]} 17:00") as services:
        before = everything(services.engine)
        assert reconcile(services).done == ()
        assert everything(services.engine) == before


def test_the_backtest_equals_what_was_lived_row_by_row(copy: Path, services_at: ServicesAt) -> None:
    with services_at(copy, "2021-12-31 20:00") as services:
        backtest(services, first=date(2021, 9, 28), last=date(2021, 10, 5))
        for name in COMPARED:
            live, replayed = table(services.engine, name, "live"), table(services.engine, name, "backtest")
            assert not live.empty or name in ("trades", "positions")
            pd.testing.assert_frame_equal(live, replayed)


def test_a_backtest_on_a_fresh_installation_equals_it_too_models_included(
    copy: Path, engine: Engine, services_at: ServicesAt
) -> None:
    shutil.rmtree(copy / "state")
    with services_at(copy, "2021-12-31 20:00") as services:
        backtest(services, first=date(2021, 9, 28), last=date(2021, 10, 5))
        for name in COMPARED:
            pd.testing.assert_frame_equal(table(engine, name, "live"), table(services.engine, name, "backtest"))


def test_a_backtest_replaces_the_one_before_and_leaves_live_rows_alone(copy: Path, services_at: ServicesAt) -> None:
    with services_at(copy, "2021-10-05 17:00") as services:
        live = table(services.engine, "signals", "live")
        backtest(services, first=date(2021, 9, 28), last=date(2021, 9, 30))
        backtest(services, first=date(2021, 10, 1), last=date(2021, 10, 4))
        assert table(services.engine, "signals", "backtest")["session"].tolist() == ["2021-10-01", "2021-10-04"]
        pd.testing.assert_frame_equal(table(services.engine, "signals", "live"), live)


def test_sessions_missed_while_away_are_decided_late_and_not_traded(copy: Path, services_at: ServicesAt) -> None:
    with services_at(copy, "2021-10-07 10:00") as services:
        done = [f"{task.kind} {task.session:%m-%d}" for task in reconcile(services).done]
        assert done == ["decide 10-06", "settle 10-06", "decide 10-07"]
        late = rows(services.engine, "SELECT session, late, actionable FROM signals WHERE late = 1")
        assert late == [("2021-10-06", 1, 0), ("2021-10-07", 1, 0)]


def test_a_settlement_waits_for_its_bar(copy: Path, services_at: ServicesAt) -> None:
    path = copy / "bars" / "AAA.NS.csv"
    whole = pd.read_csv(path)
    whole[whole["Date"] < "2021-10-06"].to_csv(path, index=False)
    with services_at(copy, "2021-10-06 08:50") as services:
        reconcile(services)
    with services_at(copy, "2021-10-06 17:00") as services:
        reconciled = reconcile(services)
        assert reconciled.done == ()
        assert [task.kind for task in reconciled.waiting] == ["settle"]
        whole.to_csv(path, index=False)
        assert [task.kind for task in reconcile(services).done] == ["settle"]


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("Close", "", "not_finite"),
        ("Close", "inf", "not_finite"),
        ("Low", "-5", "not_positive"),
        ("High", "1", "range"),
        ("Volume", "0", "no_volume"),
        ("Date", "2021-10-02", "not_a_session"),
    ],
)
def test_a_bad_row_is_kept_apart_and_the_session_goes_on(
    field: str, value: str, reason: str, copy: Path, services_at: ServicesAt
) -> None:
    path = copy / "bars" / "BBB.NS.csv"
    lines = pd.read_csv(path, dtype=str)
    lines.loc[lines["Date"] == "2021-10-06", field] = value
    lines.to_csv(path, index=False)
    with services_at(copy, "2021-10-07 08:50") as services:
        reconcile(services)
        refused = rows(services.engine, "SELECT symbol, reason FROM quarantine")
        assert refused == [("BBB.NS", reason)]
        assert rows(
            services.engine, "SELECT count(*) FROM bars WHERE symbol = 'BBB.NS' AND session = '2021-10-06'"
        ) == [(0,)]
        assert rows(services.engine, "SELECT count(*) FROM forecasts WHERE session = '2021-10-07'") == [(8,)]


def test_differing_rows_of_one_session_are_both_refused(copy: Path, services_at: ServicesAt) -> None:
    path = copy / "bars" / "BBB.NS.csv"
    lines = pd.read_csv(path)
    double = lines[lines["Date"] == "2021-10-06"].assign(Close=lambda row: row["Close"] * 0.999)
    pd.concat([lines, double]).to_csv(path, index=False)
    with services_at(copy, "2021-10-07 08:50") as services:
        reconcile(services)
        assert rows(services.engine, "SELECT reason FROM quarantine") == [("duplicate",), ("duplicate",)]


def test_rows_of_the_future_are_not_read(lived: Path, engine: Engine, sessions: tuple[str, ...]) -> None:
    assert "2021-12-31" in (lived / "bars" / "AAA.NS.csv").read_text()
    assert rows(engine, "SELECT max(session) FROM bars WHERE symbol = 'AAA.NS'") == [(sessions[-1],)]


def test_a_stale_symbol_is_held_for_that_reason(copy: Path, services_at: ServicesAt) -> None:
    path = copy / "bars" / "AAA.NS.csv"
    lines = pd.read_csv(path)
    lines[lines["Date"] != "2021-10-06"].to_csv(path, index=False)
    with services_at(copy, "2021-10-07 08:50") as services:
        reconcile(services)
        (newest,) = rows(services.engine, "SELECT action, reasons FROM signals WHERE session = '2021-10-07'")
        assert newest == ("HOLD", '["STALE_DATA"]')


def test_when_the_bars_have_ended_long_ago_nothing_is_trained_and_the_signal_says_why(
    copy: Path, services_at: ServicesAt
) -> None:
    shutil.rmtree(copy / "state")
    with services_at(copy, "2023-03-01 08:50") as services:
        reconcile(services)
        assert rows(services.engine, "SELECT reasons FROM signals") == [('["NO_FORECAST", "STALE_DATA"]',)]
        assert rows(services.engine, "SELECT count(*) FROM models") == [(0,)]


@pytest.mark.parametrize("lost", ["bars", "bars/AAA.NS.csv"])
def test_a_feed_that_fails_leaves_the_store_as_it_was(lost: str, copy: Path, services_at: ServicesAt) -> None:
    place = copy / lost
    shutil.rmtree(place) if place.is_dir() else place.unlink()
    with services_at(copy, "2021-10-06 08:50") as services:
        before = everything(services.engine)
        with pytest.raises(FeedError):
            reconcile(services)
        assert_only_told_as_failed(services.engine, before)


def test_an_empty_answer_is_a_failure_that_changes_nothing(copy: Path, services_at: ServicesAt) -> None:
    path = copy / "bars" / "AAA.NS.csv"
    path.write_text(path.read_text().splitlines()[0] + "\n")
    with services_at(copy, "2021-10-06 08:50") as services:
        before = everything(services.engine)
        with pytest.raises(FeedError, match=r"AAA\.NS has no bar from 2021-08-"):
            reconcile(services)
        assert_only_told_as_failed(services.engine, before)


def test_a_peer_or_context_series_that_fails_stops_nothing(copy: Path, services_at: ServicesAt) -> None:
    (copy / "bars" / "BBB.NS.csv").unlink()
    (copy / "bars" / "ETF.csv").unlink()
    with services_at(copy, "2021-10-06 08:50") as services:
        assert [task.kind for task in reconcile(services).done] == ["decide"]


def test_a_restated_history_is_read_again_from_its_beginning_and_trains_nothing(
    copy: Path, services_at: ServicesAt
) -> None:
    path = copy / "bars" / "AAA.NS.csv"
    lines = pd.read_csv(path)
    prices = ["Open", "High", "Low", "Close", "Adj Close"]
    lines[prices] = lines[prices] / 2  # exact in binary: a 1:1 bonus
    lines.to_csv(path, index=False)
    with services_at(copy, "2021-10-06 08:50") as services:
        models = rows(services.engine, "SELECT count(*) FROM models")
        reconcile(services)
        oldest = rows(services.engine, "SELECT count(*) FROM bars WHERE symbol = 'AAA.NS' AND session = '2018-01-02'")
        assert oldest == [(2,)]  # the old version stays
        assert rows(services.engine, "SELECT count(*) FROM models") == models


def test_another_panel_gets_models_of_its_own(copy: Path, services_at: ServicesAt) -> None:
    config = copy / "config.toml"
    config.write_text(config.read_text().replace('XNYS = ["ETF"], ', ""))
    with services_at(copy, "2021-10-06 08:50") as services:
        reconcile(services)
        made = rows(services.engine, "SELECT count(*) FROM models WHERE month = '2021-10'")
        assert made == [(2,)]


def test_members_come_back_in_the_order_that_the_stack_learned_them(copy: Path, services_at: ServicesAt) -> None:
    with services_at(copy, "2021-10-06 08:50") as services:
        (model_id,) = rows(services.engine, "SELECT model_id FROM models WHERE month = '2021-10'")[0]
        assert list(load_model(services.models, model_id).members) == ["small", "logit", "lightgbm"]


def test_members_in_another_order_are_not_mistaken_for_each_other(copy: Path, services_at: ServicesAt) -> None:
    config = copy / "config.toml"
    logit, trees = '{ preset = "logit", penalty = 10 },', '{ preset = "lightgbm", rounds = 5 },'
    with services_at(copy, "2021-10-05 17:00") as services:
        factory = open_factory(services)
        before = factory.history("2021-10").odds
    config.write_text(config.read_text().replace(logit, "@").replace(trees, logit).replace("@", trees))
    with services_at(copy, "2021-10-05 17:00") as services:
        after = open_factory(services).history("2021-10").odds
    assert (before.members, after.members) == (("small", "logit", "lightgbm"), ("small", "lightgbm", "logit"))
    assert_array_equal(after.log_odds, before.log_odds[[0, 2, 1]])


def open_factory(services: Services) -> ModelFactory:
    calendar = home_calendar(services.settings, services.clock.now())
    return open_desk(services, calendar, last=pd.Timestamp("2021-10-05")).factory


def test_a_dividend_restates_every_feature_a_little_and_trains_no_past_month_again(
    copy: Path, services_at: ServicesAt
) -> None:
    trained: list[int] = []

    def counted(items: Iterable[Any], *, total: int, label: str) -> Iterator[Any]:
        trained.append(total)
        yield from items

    path = copy / "bars" / "AAA.NS.csv"
    lines = pd.read_csv(path)
    with services_at(copy, "2021-10-28 17:00") as services:  # so far at the old prices
        reconcile(services)
    lines["Adj Close"] = (lines["Adj Close"] * 0.98731).astype("float32")
    lines.to_csv(path, index=False)
    with services_at(copy, "2021-11-01 08:50", counted) as services:
        reconcile(services)
        assert trained == [4]  # November's own: two networks, a logit, trees
        assert rows(services.engine, "SELECT count(*) FROM models WHERE month = '2021-11'") == [(1,)]


def test_the_last_settlement_of_a_month_makes_the_models_of_the_next(copy: Path, services_at: ServicesAt) -> None:
    with services_at(copy, "2021-10-28 17:00") as services:
        reconcile(services)
        assert rows(services.engine, "SELECT count(*) FROM models WHERE month = '2021-11'") == [(0,)]
    with services_at(copy, "2021-10-29 17:00") as services:
        reconcile(services)
        made = rows(services.engine, "SELECT model_id FROM models WHERE month = '2021-11'")
    with services_at(copy, "2021-11-01 08:50", never) as services:
        reconcile(services)
        assert rows(services.engine, "SELECT DISTINCT model_id FROM forecasts WHERE session = '2021-11-01'") == made


def never(items: Iterable[Any], *, total: int, label: str) -> Iterator[Any]:
    raise AssertionError(f"{label} {total}: nothing was to be trained")


def test_a_decision_that_training_delayed_until_after_the_open_is_late(copy: Path, services_at: ServicesAt) -> None:
    (copy / "config.toml").write_text((copy / "config.toml").read_text().replace("penalty = 10", "penalty = 11"))
    clock = MovingClock(pd.Timestamp("2021-10-06 08:50", tz="Asia/Kolkata").to_pydatetime())

    def slow(items: Iterable[Any], *, total: int, label: str) -> Iterator[Any]:
        clock.instant += timedelta(hours=1)
        yield from items

    with services_at(copy, "2021-10-06 08:50", slow) as services:
        reconcile(replace(services, clock=clock))
        newest = "SELECT late, actionable, decided_at FROM signals WHERE session = '2021-10-06'"
        assert rows(services.engine, newest) == [(1, 0, "2021-10-06T04:20:00Z")]


@dataclass
class MovingClock:
    """A clock that others move."""

    instant: datetime

    def now(self) -> datetime:
        return self.instant


def test_a_suspended_symbol_holds_up_no_other(copy: Path, services_at: ServicesAt) -> None:
    config = copy / "config.toml"
    both = config.read_text().replace('symbols = ["AAA.NS"]', 'symbols = ["AAA.NS", "BBB.NS"]')
    config.write_text(both.replace('peers = ["BBB.NS"]', "peers = []"))
    path = copy / "bars" / "BBB.NS.csv"
    lines = pd.read_csv(path)
    lines[lines["Date"] < "2021-10-06"].to_csv(path, index=False)
    settled = []
    for moment in ("06 08:50", "06 17:00", "07 08:50", "07 17:00", "08 08:50", "08 17:00"):
        with services_at(copy, f"2021-10-{moment}") as services:
            settled.append([f"{task.session:%d}" for task in reconcile(services).done if task.kind == "settle"])
    # On its first day without a bar it is waited for until the next close, then no more.
    assert settled == [[], [], [], ["06", "07"], [], ["08"]]


def hold(conn: Connection, symbol: str, services: Services) -> None:
    """The live account as if all it had ever done were to buy 5 shares on October 5."""
    session, limits = date(2021, 10, 5), services.settings.risk
    bought = Signal(
        session=session,
        symbol=symbol,
        label="gap",
        action=Action.BUY,
        probability=0.9,
        confidence=0.9,
        quantity=5,
        reference_price=100.0,
        stop_loss_pct=2.0,
        take_profit_pct=4.0,
        reasons=(Reason.CONFIDENT,),
        late=False,
        actionable=True,
        value_limit=1e9,
    )
    for kept in (account, account_events, positions, trades):
        conn.execute(kept.delete().where(kept.c.origin == "live"))
    rules, bars = TradingRules(limits, Costs()), {symbol: Bar(100, 101, 99, 100)}
    settled = settle(open_account(limits), session=session, bars=bars, signals=[bought], rules=rules)
    write_settlement(conn, "live", settled)


def test_a_held_symbol_that_is_no_longer_listed_stops_the_work_with_its_name(
    copy: Path, services_at: ServicesAt
) -> None:
    config = copy / "config.toml"
    swapped = config.read_text().replace("AAA.NS", "@").replace("BBB.NS", "AAA.NS").replace("@", "BBB.NS")
    config.write_text(swapped)
    with services_at(copy, "2021-10-06 08:50") as services:
        with transaction(services.engine) as conn:
            hold(conn, "AAA.NS", services)
        with pytest.raises(DaemonError, match=r"the account holds AAA\.NS, which market\.symbols does not list"):
            reconcile(services)


@pytest.mark.parametrize("damage", ["flip", "delete"])
def test_a_damaged_model_is_made_again(damage: str, copy: Path, services_at: ServicesAt) -> None:
    for weights in (copy / "state" / "models" / "parts").glob("*/weights.npz"):
        weights.write_bytes(weights.read_bytes()[:-1] + b"!") if damage == "flip" else shutil.rmtree(weights.parent)
    with services_at(copy, "2021-10-06 08:50") as services:
        models = rows(services.engine, "SELECT model_id FROM models")
        assert [task.kind for task in reconcile(services).done] == ["decide"]
        assert rows(services.engine, "SELECT model_id FROM models") == models


def test_interrupted_training_goes_on_where_it_was(
    tmp_path: Path, write_installation: Callable[[Path], Path], services_at: ServicesAt
) -> None:
    seen: list[int] = []

    def interrupted(items: Iterable[Any], *, total: int, label: str) -> Iterator[Any]:
        seen.append(total)
        for number, item in enumerate(items):
            if number == 2 and len(seen) == 1:
                raise KeyboardInterrupt
            yield item

    folder = write_installation(tmp_path / "interrupted")
    config = folder / "config.toml"
    config.write_text("\n".join(line for line in config.read_text().splitlines() if 'name = "small"' not in line))
    with services_at(folder, "2021-10-01 08:50", interrupted) as services:
        with pytest.raises(KeyboardInterrupt):
            reconcile(services)
        assert reconcile(services).done
    assert seen == [6, 4]  # two members in three months; two were kept
