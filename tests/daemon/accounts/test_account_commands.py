"""What people see of the paper account, and what they are told when there is nothing to see."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from daemon.backtests.backtest import backtest
from daemon.cli import app
from daemon.instance import only_instance
from daemon.services import Services
from daemon.sessions.reconcile import reconcile

ServicesAt = Callable[..., AbstractContextManager[Services]]


@pytest.fixture
def tell() -> Callable[..., str]:
    """tell(folder, "trades", ...): what the command prints."""

    def of(folder: Path, *words: str) -> str:
        told = CliRunner().invoke(app, ["--config", str(folder / "config.toml"), *words])
        assert told.exit_code == 0, told.output
        return told.stdout

    return of


@pytest.fixture
def asked(tell: Callable[..., str]) -> Callable[..., Any]:
    """The same as JSON."""
    return lambda folder, *words: json.loads(tell(folder, *words, "--json"))


def rows(folder: Path, services_at: ServicesAt, sql: str) -> list[dict[str, Any]]:
    with services_at(folder, "2021-12-31 20:00") as services, services.engine.connect() as conn:
        return [dict(row) for row in conn.execute(text(sql)).mappings()]


@pytest.fixture
def holding(copy: Path, services_at: ServicesAt) -> Path:
    """The lived installation after a day that it holds a position, two trades behind it."""
    for moment in ("06 17:00", "07 17:00"):
        with services_at(copy, f"2021-10-{moment[:2]} 08:50") as services:
            reconcile(services)
        with services_at(copy, f"2021-10-{moment}") as services:
            reconcile(services)
    return copy


def test_the_account_is_its_newest_mark_beside_what_it_began_with(
    holding: Path, services_at: ServicesAt, asked: Callable[..., Any], tell: Callable[..., str]
) -> None:
    (mark,) = rows(holding, services_at, "SELECT * FROM account ORDER BY session DESC LIMIT 1")
    mark.pop("origin")
    answer = asked(holding, "account")
    assert answer["mark"] == mark
    assert answer["began_with"] == 1_000_000
    assert answer["change"] == pytest.approx(mark["equity"] - 1_000_000)
    assert answer["change_pct"] == pytest.approx(mark["equity"] / 10_000 - 100)
    (deepest,) = rows(holding, services_at, "SELECT max(drawdown_pct) AS pct FROM account")
    assert answer["deepest_drawdown_pct"] == deepest["pct"]
    assert answer["halts"] == []
    shown = tell(holding, "account")
    assert f"{mark['equity']:,.2f}" in shown
    assert "since 2021-09-28" in shown


def test_the_account_says_what_halts_it(holding: Path, asked: Callable[..., Any], tell: Callable[..., str]) -> None:
    tell(holding, "halt", "--reason", "[/b] a [planned] holiday :sun:")
    (hold,) = asked(holding, "account")["halts"]
    assert (hold["reason"], hold["note"]) == ("KILL_SWITCH", "[/b] a [planned] holiday :sun:")
    shown = tell(holding, "account")
    assert "Halted: nothing is entered (KILL_SWITCH" in shown
    assert "[/b] a [planned] holiday :sun:" in shown


def test_positions_equal_the_view_and_know_how_many_sessions_are_left(
    holding: Path, services_at: ServicesAt, asked: Callable[..., Any], tell: Callable[..., str]
) -> None:
    view = rows(holding, services_at, "SELECT * FROM v_open_positions ORDER BY symbol")
    answer = asked(holding, "positions")
    assert len(view) == len(answer) == 1
    assert {name: answer[0][name] for name in view[0]} == {
        name: pytest.approx(value) if isinstance(value, float) else value for name, value in view[0].items()
    }
    assert (answer[0]["sessions_held"], answer[0]["sessions_left"]) == (1, 2)
    shown = tell(holding, "positions")
    for name in ("stop_price", "target_price", "market_value"):
        assert f"{view[0][name]:,.2f}" in shown


def test_trades_are_summed_and_chosen_by_their_exit(
    holding: Path, services_at: ServicesAt, asked: Callable[..., Any], tell: Callable[..., str]
) -> None:
    kept = rows(holding, services_at, "SELECT * FROM trades ORDER BY exit_session")
    answer = asked(holding, "trades")
    assert [trade["exit_price"] for trade in answer["trades"]] == [trade["exit_price"] for trade in kept]
    assert answer["total"] == {
        "trades": 2,
        "won": sum(trade["profit"] > 0 for trade in kept),
        "cost": pytest.approx(sum(trade["cost"] for trade in kept)),
        "profit": pytest.approx(sum(trade["profit"] for trade in kept)),
    }
    second = f"{kept[1]['exit_session']}"
    assert asked(holding, "trades", "--from", second)["total"]["trades"] == 1
    assert asked(holding, "trades", "--to", second)["total"]["trades"] == 2
    assert asked(holding, "trades", "--to", "2021-09-29")["trades"] == []
    assert tell(holding, "trades").splitlines()[-1].startswith("2 trades, ")


def test_the_account_of_a_backtest_is_shown_when_asked_for(
    holding: Path, services_at: ServicesAt, asked: Callable[..., Any]
) -> None:
    with services_at(holding, "2021-12-31 20:00") as services:
        backtest(services, first=date(2021, 9, 28), last=date(2021, 9, 30))
    assert asked(holding, "account", "--origin", "backtest")["mark"]["session"] == "2021-09-30"
    assert asked(holding, "account")["mark"]["session"] == "2021-10-07"
    assert len(asked(holding, "positions", "--origin", "backtest")) == 1
    assert asked(holding, "trades", "--origin", "backtest")["trades"] == []


def test_of_a_backtest_nothing_is_shown_that_is_held_out(
    holding: Path,
    services_at: ServicesAt,
    asked: Callable[..., Any],
    tell: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with services_at(holding, "2021-12-31 20:00") as services:
        backtest(services, first=date(2021, 9, 28), last=date(2021, 10, 7))
    (closed,) = {trade["exit_session"] for trade in asked(holding, "trades", "--origin", "backtest")["trades"][:1]}
    live = {name: tell(holding, name) for name in ("account", "positions", "trades")}
    monkeypatch.setenv("RELIANCE_DAEMON__EVALUATION__HOLDOUT_FROM", closed)
    account, trades = (asked(holding, name, "--origin", "backtest") for name in ("account", "trades"))
    assert account["mark"]["session"] < closed
    assert account["held_back"] > 0
    assert (trades["trades"], trades["held_back"] > 0) == ([], True)
    assert asked(holding, "positions", "--origin", "backtest") == []
    for name in live:
        assert "not shown, held out by evaluation.holdout_from." in tell(holding, name, "--origin", "backtest")
        assert tell(holding, name) == live[name]


def test_they_work_while_the_daemon_does(holding: Path, tell: Callable[..., str]) -> None:
    with only_instance(holding / "state"):
        for command in ("account", "positions", "trades"):
            assert tell(holding, command)


EMPTY = {
    ("account", "--origin", "backtest"): "1,000,000.00 in cash. No backtest is stored; `reliance-daemon backtest",
    ("positions", "--origin", "backtest"): "No backtest is stored; `reliance-daemon backtest --from",
    ("trades", "--origin", "backtest"): "No backtest is stored; `reliance-daemon backtest --from",
    ("trades", "--to", "2021-09-28"): "No position was closed then; without --from and --to, 1 are shown.",
}


@pytest.mark.parametrize(("words", "said"), EMPTY.items())
def test_where_there_is_nothing_it_is_said_what_to_do(
    lived: Path, tell: Callable[..., str], words: tuple[str, ...], said: str
) -> None:
    assert tell(lived, *words).replace("\n", " ").startswith(said)


def test_before_the_first_settlement_it_is_said_what_to_do(
    copy: Path, services_at: ServicesAt, tell: Callable[..., str]
) -> None:
    with services_at(copy, "2021-10-05 18:00") as services, services.engine.begin() as conn:
        for name in ("account", "account_events", "positions", "trades"):
            conn.execute(text(f"DELETE FROM {name}"))
    assert tell(copy, "account").startswith("1,000,000.00 in cash. Nothing is settled yet; `reliance-daemon run-once`")
    for command in ("positions", "trades"):
        assert tell(copy, command).startswith("Nothing is settled yet; `reliance-daemon run-once`")
